// SPDX-License-Identifier: Apache-2.0
// The program's signal actions. The program never installs a handler in the kernel: it writes this table, and the kernel's
// disposition follows it (default, ignore, or the runtime's own handler).
//
// Context: as lock.h, and the runtime's signal handlers when they have interrupted program code.
#pragma once
#include "libdsm/runtime/lock.h"
#include "libdsm/runtime/user_context.h"

namespace dsm::runtime {

inline constexpr int kSignals = 64;
inline constexpr uint64_t kHandlerDefault = 0, kHandlerIgnore = 1;

constexpr uint64_t signal_bit(int signal) { return 1ull << (signal - 1); }

class SignalTable {
 public:
  // Takes over what the process inherited (ignored signals stay ignored).
  void initialise();
  // rt_sigaction: -EINVAL for SIGKILL and SIGSTOP.
  int64_t exchange(int signal, const KernelSigAction* change, KernelSigAction* before);
  KernelSigAction get(int signal);
  // The action for a delivery that is about to happen; SA_RESETHAND takes effect.
  KernelSigAction take(int signal);
  // In a child process that goes on natively: the program's own handlers go into the kernel.
  void install_natively();
  // In the child of a fork, whose other threads are gone.
  void reset_after_fork() { lock_.reset_after_fork(); }

 private:
  Lock lock_;
  KernelSigAction action_[kSignals + 1] = {};
};

}  // namespace dsm::runtime
