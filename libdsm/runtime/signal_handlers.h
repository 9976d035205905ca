// SPDX-License-Identifier: Apache-2.0
// The runtime's handlers as the kernel knows them, and what the trap's return path does with deferred work.
#pragma once
#include "libdsm/runtime/signal_entry.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/user_context.h"

namespace dsm::runtime {

// The kernel action behind a program's handler for `signal`, with `extra` SA_ flags.
KernelSigAction handler_for_program(int signal, uint64_t extra);

extern "C" {
// Of the current thread; for dsm_trap_restorer.
const uint32_t* dsm_pending_word();
// Delivers or clears what pending_word names, one thing at a time.
void dsm_deliver_pending(UserContext* user);
}

// SIGSYS that somebody sent, which is not a trapped call; by the trap handler.
void on_sent_trap_signal(KernelSigInfo* info, UserContext* user);

// What the program's instruction in `user` raises: it cannot wait and cannot be ignored, so without a handler the process dies.
void raise_fault(Thread& thread, UserContext& user, const KernelSigInfo& fault);

// The program's call in `user` was interrupted and nothing was delivered for it: it is made again.
void restart_interrupted(Thread& thread, UserContext& user);
// A shadow, all signals blocked, is about to go on with the program in `user`: what was deferred enters its handler.
void signals_arrive(Thread& thread, UserContext& user);
// Enters the handler of `action` after the restart rules of SA_RESTART; kills the process when the stack is bad.
void deliver(Thread& thread, UserContext& user, const KernelSigInfo& info, const KernelSigAction& action,
             uint64_t saved_mask, uint64_t base_mask);

}  // namespace dsm::runtime
