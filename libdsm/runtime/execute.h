// SPDX-License-Identifier: Apache-2.0
// execve and execveat of the program; they return only errors.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

int64_t do_execve(Call& call);
int64_t do_execveat(Call& call);

}  // namespace dsm::runtime
