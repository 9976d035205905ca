// SPDX-License-Identifier: Apache-2.0
// Which interrupted calls are made again after a handler. Whether SA_RESTART does so for a call is the kernel's knowledge, and
// it depends on more than the number (a socket with SO_RCVTIMEO, a futex with a time limit); sys.h says how the runtime
// learns it. Left are the calls that are made again even without the flag (ERESTARTNOINTR). Any context.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

bool is_always_restarted(const Call& call);

// Calls that move bytes until all are moved, and end short when interrupted. Bytes that are left of one that has moved `done`; 0
// for calls that may always end short.
uint64_t bytes_left(const Call& call, uint64_t done);
// The arguments of the call for what is left.
void skip_bytes(const Call& call, uint64_t done, uint64_t arg[6]);

}  // namespace dsm::runtime
