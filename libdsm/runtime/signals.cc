// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/signals.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/core_dump.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/stop_world.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/trap.h"

namespace dsm::runtime {
namespace {

constexpr int kSetMask = 2;   // SIG_SETMASK
constexpr int32_t kSiTkill = -6;

}  // namespace

uint64_t exchange_kernel_mask(uint64_t mask) {
  uint64_t before = 0;
  RT_MUST(sys(__NR_rt_sigprocmask, kSetMask, &mask, &before, 8));
  return before;
}

void remember_for_restart(const Call& call) {
  ThreadSignals& signals = call.thread.signals;
  signals.restart_number = call.number;
  memcpy(signals.restart_arg, call.arg, sizeof signals.restart_arg);
}

int64_t blocking_call(Call& call, const uint64_t* wait_mask) {
  ThreadSignals& signals = call.thread.signals;
  signals.has_wait_mask = wait_mask != nullptr;
  if (wait_mask != nullptr) signals.wait_mask = *wait_mask;
  enter_kernel(call.thread);
  const int64_t result = dsm_interruptible_syscall(call.number, call.arg, &signals.pending_word);
  leave_kernel(call.thread);
  if (result != kNotMade && result != -EINTR) {
    signals.has_wait_mask = false;
    return result;
  }
  if (result == kNotMade) signals.has_wait_mask = false;   // as if the signal had come before the call
  signals.not_made = result == kNotMade;
  remember_for_restart(call);
  return -EINTR;
}

void finish_call(Call& call, int64_t result) {
  if (result != kNoResult) call.user->reg[kRax] = static_cast<uint64_t>(result);
}

void requeue_signal(const KernelSigInfo& info) {
  const int64_t pid = sys(__NR_getpid);
  if (info.code == kSiTkill) {
    sys(__NR_rt_tgsigqueueinfo, pid, sys(__NR_gettid), info.signo, &info);
    return;
  }
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
