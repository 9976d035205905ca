// SPDX-License-Identifier: Apache-2.0
// futex(2) at the origin: the kernel's own, because all threads wait there, through their shadows.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

int64_t futex_call(Call& call);

}  // namespace dsm::runtime
