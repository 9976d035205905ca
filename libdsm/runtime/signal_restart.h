// SPDX-License-Identifier: Apache-2.0
// Which interrupted calls are made again after a handler. Whether SA_RESTART does so for a call is the kernel's knowledge, and
// it depends on more than the number (a socket with SO_RCVTIMEO, a futex with a time limit); sys.h says how the runtime
// learns it. Left are the calls that are made again even without the flag (ERESTARTNOINTR). Any context.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

bool is_always_restarted(const Call& call);

}  // namespace dsm::runtime
