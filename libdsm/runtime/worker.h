// SPDX-License-Identifier: Apache-2.0
// A vessel's kernel thread that runs one thread of the program after the other. Between two it waits on its channel, with
// the traps off, so that creating and joining a remote thread costs no kernel thread in the vessel.
#pragma once
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/thread.h"

namespace dsm::runtime {

// Start of the kernel thread, and where it comes back to, on a fresh stack. thread.remote.channel_fd is set.
[[noreturn]] void worker_main(Thread* thread);

// exit(2) of the program's thread.
[[noreturn]] void worker_finish(Thread& thread, int64_t status);
// The program's process is gone: the kernel thread ends.
[[noreturn]] void worker_abandon(Thread& thread);
// The thread has left (kHome was sent): back to the channel.
[[noreturn]] void worker_wait(Thread& thread);

// Asks the shadow for the signal that waits there and enters its handler, or goes home if the shadow says so. Interrupted program
// in `user`.
void worker_fetch_signal(Thread& thread, UserContext& user);
// A synchronous fault of the program in `user`: its handler, or the death of the process.
void worker_fault(Thread& thread, UserContext& user, const KernelSigInfo& info);
// The process dies by the signal in `info`.
[[noreturn]] void worker_die(Thread& thread, const KernelSigInfo& info);

}  // namespace dsm::runtime
