// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/signal_table.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/core_dump.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signal_handlers.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/sys.h"

namespace dsm::runtime {
namespace {

// Dying with a core dump takes a step of ours before (core_dump.h), so the kernel's default would come too early.
bool dies_by_us(int signal, const KernelSigAction& action) {
  return action.handler == kHandlerDefault && dumps_core(signal) && !is_vessel();
}

// What the kernel must do for the program's `action`.
KernelSigAction kernel_action(int signal, const KernelSigAction& action) {
  if (action.handler <= kHandlerIgnore && !dies_by_us(signal, action)) {
    KernelSigAction plain = action;
    plain.flags |= kSaRestorer;
    plain.restorer = reinterpret_cast<uint64_t>(&dsm_restorer);
    return plain;
  }
  return handler_for_program(signal, action.flags & (kSaNoChildStop | kSaNoChildWait));
}

bool always_ours(int signal) { return (kAlwaysOurs & signal_bit(signal)) != 0; }

// The flags that the kernel knows; it clears all others, so that programs can find out.
constexpr uint64_t kKnownFlags = kSaNoChildStop | kSaNoChildWait | kSaSigInfo | kSaOnStack | kSaRestart | kSaNoDefer |
                                 kSaResetHand | kSaRestorer | 0x800 /*SA_EXPOSE_TAGBITS*/;

}  // namespace

void SignalTable::initialise() {
  for (int signal = 1; signal <= kSignals; signal++) {
    KernelSigAction inherited = {};
    if (signal == abi::kSignalKick) continue;   // ignored by the image before, for the time of its execve
    if (sys(__NR_rt_sigaction, signal, nullptr, &inherited, 8) == 0 && inherited.handler == kHandlerIgnore)
      action_[signal].handler = kHandlerIgnore;
    else if (!always_ours(signal) && dies_by_us(signal, action_[signal])) {
      const KernelSigAction ours = kernel_action(signal, action_[signal]);
      RT_MUST(sys(__NR_rt_sigaction, signal, &ours, nullptr, 8));
    }
  }
}

int64_t SignalTable::exchange(int signal, const KernelSigAction* change, KernelSigAction* before) {
  if (signal < 1 || signal > kSignals) return -EINVAL;
  if (change != nullptr && (signal == kSigKill || signal == kSigStop)) return -EINVAL;
  LockGuard guard(lock_);
  const KernelSigAction old = action_[signal];
  if (change != nullptr) {
    if (!always_ours(signal)) {
      const KernelSigAction wanted = kernel_action(signal, *change);
      if (const int64_t error = sys(__NR_rt_sigaction, signal, &wanted, nullptr, 8); error != 0) return error;
    }
    action_[signal] = *change;
    action_[signal].flags &= kKnownFlags;
    action_[signal].mask &= ~(signal_bit(kSigKill) | signal_bit(kSigStop));
  }
  if (before != nullptr) *before = old;
  return 0;
}

KernelSigAction SignalTable::get(int signal) {
  LockGuard guard(lock_);
  return action_[signal];
}

KernelSigAction SignalTable::take(int signal) {
  LockGuard guard(lock_);
  const KernelSigAction action = action_[signal];
  if ((action.flags & kSaResetHand) != 0 && action.handler > kHandlerIgnore) {
    action_[signal].handler = kHandlerDefault;
    if (!always_ours(signal)) {
      const KernelSigAction plain = kernel_action(signal, action_[signal]);
      RT_MUST(sys(__NR_rt_sigaction, signal, &plain, nullptr, 8));
    }
  }
  return action;
}

void SignalTable::install_natively() {
  for (int signal = 1; signal <= kSignals; signal++) {
    if (signal == kSigKill || signal == kSigStop) continue;
    if (always_ours(signal) || dumps_core(signal) || action_[signal].handler > kHandlerIgnore)
      sys(__NR_rt_sigaction, signal, &action_[signal], nullptr, 8);
  }
}

}  // namespace dsm::runtime
