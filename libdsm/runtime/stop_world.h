// SPDX-License-Identifier: Apache-2.0
// Stops the program's threads at the origin for the moment of a fork, so that the child sees the memory of one instant.
//
// A thread is still when it waits in the runtime's stop handler, or is in a system call that may sleep (it looks for the request
// before it goes on), or lives on another node (whose pages the agent freezes).
#pragma once
#include "libdsm/runtime/thread.h"

namespace dsm::runtime {

// By the forking thread, which holds the memory lock. Returns when all others are still.
void stop_local_threads(const Thread& self);
void release_local_threads();

// Around a system call that may sleep: it counts as still meanwhile.
void enter_kernel(Thread& thread);
void leave_kernel(Thread& thread);

// A kernel thread begins to run the program here: one that was just made, or a shadow whose thread has come home. It waits first while
// the others stand still.
void begin_program(Thread& thread);

// Signal handler of abi::kSignalStop at the origin.
void park_until_released(Thread& thread);

}  // namespace dsm::runtime
