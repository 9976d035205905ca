// SPDX-License-Identifier: Apache-2.0
// Moving a thread that runs: its kernel thread at the origin becomes its shadow, or the shadow becomes the thread again.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

// Worker, having interrupted the program in `user`: the thread goes on at the origin.
[[noreturn]] void migrate_home(Thread& thread, UserContext& user);

// Trap handler: the calling thread goes on on `node` behind its system call, with result 0. 0 if it is there already, -EINVAL for a node
// that does not exist; a thread in a vessel goes home first.
int64_t migrate_self(Call& call, uint32_t node);

}  // namespace dsm::runtime
