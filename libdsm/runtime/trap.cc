// SPDX-License-Identifier: Apache-2.0
// Where every system call of the program arrives: SIGSYS, raised by Syscall User Dispatch.
//
// Context: signal handler on the stack of the thread's block, interrupting the program at its syscall instruction, never
// the runtime (its own text is exempt). The whole register state is in *user and comes back by rt_sigreturn, so the handler
// may use any register. RIP is already behind the instruction: restarting means RIP -= 2 and RAX = number.
#include "libdsm/runtime/dispatch.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signal_handlers.h"
#include "libdsm/runtime/trap.h"

namespace dsm::runtime {

extern "C" void trap_entry(int, KernelSigInfo* info, UserContext* user) {
  if (info->code <= 0) return on_sent_trap_signal(info, user);
  Thread& thread = current_thread();
  const uint64_t* reg = user->reg;
  Call call = {thread, user, info->call.number, {reg[kRdi], reg[kRsi], reg[kRdx], reg[kR10], reg[kR8], reg[kR9]}};
  ThreadSignals& signals = thread.signals;
  signals.restart_number = -1;
  signals.not_made = false;
  signals.restartable = false;
  signals.again = signals.make_again;
  signals.make_again = false;
  if (!signals.again) signals.deadline_ns = 0;
  const bool spawned = thread.remote.kind == ThreadKind::kNativeChild;
  const int64_t result = is_vessel() ? run_at_vessel(call) : spawned ? run_in_spawned_child(call) : run_at_origin(call);
  finish_call(call, result);
}

}  // namespace dsm::runtime
