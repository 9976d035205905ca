// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/signals.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/core_dump.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signal_restart.h"
#include "libdsm/runtime/stop_world.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/time_limit.h"
#include "libdsm/runtime/trap.h"

namespace dsm::runtime {
namespace {

constexpr int kSetMask = 2;   // SIG_SETMASK

bool was_interrupted(int64_t result) { return result == kNotMade || result == kRestartable || result == -EINTR; }

// The deferred signal has no handler any more: another thread has changed its action meanwhile. It gets that action, here and
// now, and the call goes on.
bool drop_deferred(Call& call) {
  if (is_vessel()) return false;
  Thread& thread = call.thread;
  const KernelSigInfo info = thread.signals.deferred;
  const KernelSigAction action = process().remote.signals.get(info.signo);
  if (action.handler > kHandlerIgnore) return false;
  __atomic_fetch_and(&thread.signals.pending_word, ~kPendingSignal, __ATOMIC_RELAXED);
  if (action.handler == kHandlerDefault) act_by_default(info);
  exchange_kernel_mask(without_reserved(call.user != nullptr ? call.user->mask : thread.signals.shadow_mask));
  return true;
}

}  // namespace

uint64_t exchange_kernel_mask(uint64_t mask) {
  uint64_t before = 0;
  RT_MUST(sys(__NR_rt_sigprocmask, kSetMask, &mask, &before, 8));
  return before;
}

void remember_for_restart(const Call& call) {
  call.thread.signals.restart_number = call.number;
}

int64_t blocking_call(Call& call, const uint64_t* wait_mask) {
  ThreadSignals& signals = call.thread.signals;
  TimeLimit limit(call);
  int64_t result;
  uint64_t done = 0;
  for (;;) {
    uint64_t arg[6];
    memcpy(arg, call.arg, sizeof arg);
    if (done != 0) skip_bytes(call, done, arg);
    limit.apply(arg);
    signals.has_wait_mask = wait_mask != nullptr;
    if (wait_mask != nullptr) signals.wait_mask = *wait_mask;
    signals.nudged = false;
    enter_kernel(call.thread);
    result = dsm_interruptible_syscall(call.number, arg, &signals.pending_word);
    leave_kernel(call.thread);
    // Nothing that the program could see has happened: the call goes on.
    const bool by_us = (signals.pending_word & ~kPendingMove) == 0 && signals.nudged;
    if (!was_interrupted(result)) {
      signals.has_wait_mask = false;
      if (is_error(result)) return done != 0 ? static_cast<int64_t>(done) : result;
      done += static_cast<uint64_t>(result);
      if (by_us && result > 0 && bytes_left(call, done) != 0) continue;
      return static_cast<int64_t>(done);
    }
    if (by_us && (signals.pending_word & kPendingMove) != 0) {
      result = kNotMade;   // made again behind the move
      break;
    }
    if (!by_us && ((signals.pending_word & kPendingSignal) == 0 || !drop_deferred(call))) break;
  }
  if (done != 0) return static_cast<int64_t>(done);
  if (result == kNotMade) signals.has_wait_mask = false;   // as if the signal had come before the call
  signals.not_made = result == kNotMade || (result == kRestartable && is_always_restarted(call));
  signals.restartable = result == kRestartable;
  remember_for_restart(call);
  return -EINTR;
}

void finish_call(Call& call, int64_t result) {
  if (result != kNoResult) call.user->reg[kRax] = static_cast<uint64_t>(result);
}

void requeue_signal(const KernelSigInfo& info) {
  // To the thread itself the kernel lets anybody queue anything, also what only the kernel can have said (si_code >= 0).
  sys(__NR_rt_tgsigqueueinfo, sys(__NR_getpid), sys(__NR_gettid), info.signo, &info);
}

void act_by_default(const KernelSigInfo& info) {
  // The kernel's handler of these is ours whatever the program's action says, so queueing it again would not end.
  const bool always_ours = (kAlwaysOurs & ~signal_bit(kSigCont) & signal_bit(info.signo)) != 0;
  if (always_ours || dumps_core(info.signo)) die_by_signal(info.signo, info);
  if (info.signo != kSigCont) requeue_signal(info);   // the kernel's disposition says so by now, too
}

void hand_on_signal(const KernelSigInfo& info) {
  const int64_t pid = sys(__NR_getpid);
  if (info.code == kSiTkill) return;   // for this very thread, and lost with it
  // The kernel lets only the main thread queue what looks like its own signals; for the others their data is lost.
  if (sys(__NR_rt_sigqueueinfo, pid, info.signo, &info) != 0) sys(__NR_kill, pid, info.signo);
}

void die_by_signal(int signal, const KernelSigInfo& info) {
  if (dumps_core(signal)) gather_memory_for_core();
  const KernelSigAction plain = {kHandlerDefault, 0, 0, 0};
  sys(__NR_rt_sigaction, signal, &plain, nullptr, 8);
  sys(__NR_rt_tgsigqueueinfo, sys(__NR_getpid), sys(__NR_gettid), signal, &info);
  exchange_kernel_mask(~signal_bit(signal));
  sys(__NR_tgkill, sys(__NR_getpid), sys(__NR_gettid), signal);
  for (;;) sys(__NR_exit_group, 128 + signal);
}

}  // namespace dsm::runtime
