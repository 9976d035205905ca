// SPDX-License-Identifier: Apache-2.0
// JobController, second part: child processes of the program that ask for agents. Each one that gets them has a controller of its own, a
// fork of this launcher with a set of agents, hosts and options as here; so what dies there ends that child and nothing else. The
// launcher stays until all of them have ended, and ends them when the job fails. The stream between the two
// carries the child's report; its end means that the launcher is gone.
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "libdsm/os/process.h"
#include "tools/common/complain.h"
#include "tools/common/monotonic.h"
#include "tools/dsm-launch/child_process.h"
#include "tools/dsm-launch/job_controller.h"

namespace dsm::tools {
namespace {

constexpr size_t kMostAtOnce = 8;
constexpr TimeNs kAbandonPatience = 5 * kSecond;   // for the controllers of children, when the job has failed

void kill_process(const os::Fd& process, int signal) {
  if (process) syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
}

}  // namespace

// ---- the launcher's side ---------------------------------------------------------------------------------------------

void JobController::take_join_requests() {
  const auto runs = [](const ChildJob& child) {
    pollfd ended{child.process.get(), POLLIN, 0};
    return poll(&ended, 1, 0) == 0;   // its controller may still be about to leave
  };
  // One that asks while the last node is getting ready is answered when it is.
  while (join_port_.is_open() && phase_ >= Phase::kRunning) {
    auto request = join_port_.receive();
    if (!request) return;
    const size_t most = options_.children == "auto" ? 1 : kMostAtOnce;
    int status = 0;
    if (failed_ || phase_ != Phase::kRunning) status = -ESRCH;
    else if (static_cast<size_t>(std::count_if(children_.begin(), children_.end(), runs)) >= most) status = -EBUSY;
    if (status == 0) status = start_child_job(*request);
    if (status == -EBUSY && options_.verbose)
      complain("dsm-launch: child {} (pid {}) runs on this node only: {} of the job {} distributed already (--children={})\n",
               request->name, request->pid, most, most == 1 ? "child is" : "children are", options_.children);
    if (status != 0) JoinPort::answer(*request, status);
  }
}

int JobController::start_child_job(const JoinRequest& request) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return -errno;
  const pid_t pid = fork();
  if (pid == 0) {
    close_all_but({request.process.get(), request.control.get(), pair[1]});
    JoinPort::answer(request, 0);
    const Program program{request.name, 0, "", request.name, false};
    JoinedProgram joined{request.pid,     request.name, os::Fd(request.process.get()), os::Fd(request.control.get()), LineStream(pair[1]),
                         std::string(job_)};
    _exit(JobController(options_, installation_, program, hosts_, std::move(joined)).run());
  }
  const int failure = errno;
  close(pair[1]);
  if (pid < 0) {
    close(pair[0]);
    return -failure;
  }
  children_.push_back({pid, request.pid, request.name, os::Fd(fcntl(request.process.get(), F_DUPFD_CLOEXEC, 0)), LineStream(pair[0])});
  return 0;
}

void JobController::handle_children() {
  for (auto& child : children_) {
    const bool alive = child.stream.fill();
    while (auto line = child.stream.next_line()) {
      nlohmann::json job = nlohmann::json::parse(*line, nullptr, false);
      if (job.is_object()) child_reports_.push_back(std::move(job));
    }
    if (!alive) child.stream.close();
  }
  for (auto child = children_.begin(); child != children_.end();) {
    int status;
    if (waitpid(child->controller, &status, WNOHANG) != child->controller) {
      ++child;
      continue;
    }
    if (WIFSIGNALED(status)) {
      complain("dsm-launch: child {} (pid {}): its controller {}\n", child->name, child->pid, describe_exit(status));
      kill_process(child->process, SIGKILL);
    }
    child = children_.erase(child);
  }
}

void JobController::signal_children(int signal) {
  for (const auto& child : children_) kill_process(child.process, signal);
}

// Their controllers see the end of the stream, end the children and their agents, and are waited for.
void JobController::abandon_children() {
  const TimeNs deadline = monotonic_ns() + kAbandonPatience;
  for (auto& child : children_) child.stream.close();
  while (!children_.empty() && monotonic_ns() < deadline) {
    handle_children();
    if (!children_.empty()) usleep(1000);
  }
  for (auto& child : children_) {
    kill(child.controller, SIGKILL);
    kill_process(child.process, SIGKILL);
    waitpid(child.controller, nullptr, 0);
  }
  children_.clear();
}

// ---- the side of a child's controller ------------------------------------------------------------------------------------

void JobController::watch_joined_program() {
  if (joined_->launcher.open() && !joined_->launcher.fill() && !failed_) {
    // The launcher is gone or has given up, and it says why.
    joined_->launcher.close();
    failed_ = true;
    kill_program();
    leave();
  }
  pollfd ended{joined_->process.get(), POLLIN, 0};   // not a child of ours
  if (app_status_ || poll(&ended, 1, 0) <= 0) return;
  // It ended because its agent did, which has closed its stream and will be reaped in a moment: that is the cause to name.
  if (phase_ == Phase::kRunning && !agents_[0].control.open() && agents_[0].state != AgentState::kGone) return;
  app_cpu_ns_ = os::process_cpu_ns(joined_->pid);   // 0 if its parent has waited for it already
  app_status_ = 0;
  if (failed_) return;
  if (phase_ < Phase::kRunning) leave();
  else collect_final_report();
}

void JobController::kill_program() {
  if (!app_pid_ || app_status_) return;
  if (!joined_) {
    kill(app_pid_, SIGKILL);
  } else if (phase_ >= Phase::kRunning) {
    kill_process(joined_->process, SIGKILL);   // before, it has no memory of the agents', and goes on without them
  }
}

void JobController::complain_of_failure(const std::string& what) const {
  if (!joined_) return complain("dsm-launch: {}\n", what);
  complain("dsm-launch: child {} (pid {}){}: {}\n", joined_->name, joined_->pid,
           phase_ < Phase::kRunning ? " runs on this node only" : "", what);
}

bool JobController::report_to_launcher(const nlohmann::json& job) {
  if (!joined_) return false;
  joined_->launcher.send(job);
  const TimeNs deadline = monotonic_ns() + kSecond;
  while (joined_->launcher.wants_write() && joined_->launcher.flush() && monotonic_ns() < deadline) {
    pollfd room{joined_->launcher.fd(), POLLOUT, 0};
    poll(&room, 1, 100);
  }
  return true;
}

}  // namespace dsm::tools
