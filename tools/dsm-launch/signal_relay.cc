// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/signal_relay.h"

#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace dsm::tools {
namespace {

// What a user or a batch system sends to a job. Real-time signals carry no meaning for the launcher itself either.
constexpr int kRelayed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGTSTP, SIGWINCH, SIGURG, SIGXCPU};

}  // namespace

Status SignalRelay::open() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  for (const int signal : kRelayed) sigaddset(&wanted, signal);
  if (sigprocmask(SIG_BLOCK, &wanted, &original_mask_)) return system_error("sigprocmask", errno);
  fd_ = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd_ < 0) return system_error("signalfd", errno);
  return success();
}

SignalRelay::~SignalRelay() {
  if (fd_ >= 0) close(fd_);
}

void SignalRelay::stop_with(pid_t app, int signal) {
  siginfo_t next{};
  if (!waitid(P_PID, static_cast<id_t>(app), &next, WCONTINUED | WEXITED | WNOHANG | WNOWAIT) && next.si_pid) return;   // it goes on
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  raise(signal);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);   // here
  if (signal != SIGSTOP && signal != SIGTTIN && signal != SIGTTOU) sigprocmask(SIG_BLOCK, &one, nullptr);
}

std::optional<SignalRelay::Taken> SignalRelay::take(pid_t app) {
  signalfd_siginfo info{};
  if (read(fd_, &info, sizeof info) != sizeof info) return std::nullopt;
  const int signal = static_cast<int>(info.ssi_signo);
  if (signal == SIGCHLD) return Taken{Event::kChild, signal};
  if (!app) return Taken{Event::kNoReceiver, signal};
  const bool from_terminal = info.ssi_code == SI_KERNEL;
  // The program's runtime sends SIGCONT when the program goes on by itself.
  const bool from_program = signal == SIGCONT && info.ssi_pid == static_cast<uint32_t>(app);
  if (!from_terminal && !from_program) kill(app, signal);
  return Taken{Event::kPassedOn, signal};
}

}  // namespace dsm::tools
