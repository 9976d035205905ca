// SPDX-License-Identifier: Apache-2.0
// Signals of the launcher. All that can be caught arrive through one signalfd. One from the terminal reaches the
// program by itself, since it shares the launcher's process group; one that somebody sent to the launcher is passed on.
#pragma once
#include <signal.h>
#include <sys/types.h>

#include <optional>

#include "libdsm/base/result.h"

namespace dsm::tools {

class SignalRelay {
 public:
  // Blocks the signals and opens the descriptor; `original_mask` is what the program must start with.
  Status open();
  ~SignalRelay();

  int fd() const { return fd_; }
  const sigset_t& original_mask() const { return original_mask_; }
  // Signals to take before the next poll. SIGCHLD is returned, the others are passed on to `app` (0: nobody yet).
  enum class Event { kChild, kPassedOn, kNoReceiver };
  struct Taken {
    Event event;
    int signal;
  };
  std::optional<Taken> take(pid_t app);
  // `app` was stopped by `signal`: so is the launcher, until SIGCONT. One to the process group wakes both; one that only the
  // program gets is passed on by its runtime.
  void stop_with(pid_t app, int signal);

 private:
  int fd_ = -1;
  sigset_t original_mask_{};
};

}  // namespace dsm::tools
