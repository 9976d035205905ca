// SPDX-License-Identifier: Apache-2.0
// The kernel thread at the origin of a thread that runs on another node. It owns the tid, its kernel signal mask is the
// program's, it makes the delegated calls with the program's own pointers, and signals that reach it are fetched by the worker.
//
// Context: its own loop on the stack of the block; traps are off.
#pragma once
#include "libdsm/runtime/thread.h"

namespace dsm::runtime {

// Ships the frame at start_frame(*thread) to a worker on thread->remote.node and serves it from then on. On entry all signals
// are blocked; start_frame's mask is the program's.
[[noreturn]] void shadow_main(Thread* thread);

}  // namespace dsm::runtime
