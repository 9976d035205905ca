// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/child_process.h"

#include <fcntl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace dsm::tools {
namespace {

std::vector<char*> c_strings(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void keep_only(int inherited) {
  if (inherited > 3) close_range(3, static_cast<unsigned>(inherited) - 1, 0);
  close_range(inherited >= 3 ? static_cast<unsigned>(inherited) + 1 : 3, ~0u, 0);
  if (inherited >= 0) fcntl(inherited, F_SETFD, 0);
}

// A pipe whose write end closes at exec, or carries the errno of an exec that failed.
struct ExecWatch {
  int fds[2] = {-1, -1};
  bool make() { return pipe2(fds, O_CLOEXEC) == 0; }
  [[noreturn]] void report_and_exit() const {
    const int code = errno;
    (void)!write(fds[1], &code, sizeof code);
    _exit(125);
  }
  // In the parent: 0 when the exec took place, else its errno.
  int outcome() {
    ::close(fds[1]);
    int code = 0;
    ssize_t n;
    do n = read(fds[0], &code, sizeof code);
    while (n < 0 && errno == EINTR);
    ::close(fds[0]);
    return n == sizeof code ? code : 0;
  }
};

void die_with_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(125);   // it was gone before the line above
}

// A child that runs `run`, and exits with 125 if that returns; in `space` as `wanted`, if there is one.
Result<pid_t> start_child(const IdSpace* space, pid_t wanted, const std::function<void()>& run) {
  if (space != nullptr) return space->start(wanted, run);
  const pid_t pid = fork();
  if (pid < 0) return system_error("fork", errno);
  if (pid > 0) return pid;
  run();
  _exit(125);
}

std::string descriptors_of(const AppCommand& command) {
  std::string descriptors = std::to_string(command.agent_fd);
  if (command.join_fd >= 0) descriptors += "," + std::to_string(command.join_fd);
  return descriptors;
}

Result<pid_t> start_runtime(const AppCommand& command, const std::vector<std::string>& words, const IdSpace* space, pid_t wanted, int image_fd) {
  const auto argv = c_strings(words);
  const auto envp = c_strings(command.environment);
  ExecWatch watch;
  if (!watch.make()) return system_error("pipe", errno);
  const pid_t parent = getpid();
  auto pid = start_child(space, wanted, [&] {
    if (space == nullptr) die_with_parent(parent);
    personality(ADDR_NO_RANDOMIZE);
    for (const int inherited : {command.agent_fd, command.join_fd, image_fd})
      if (inherited >= 0) fcntl(inherited, F_SETFD, 0);
    sigprocmask(SIG_SETMASK, &command.mask, nullptr);
    execve(command.runtime.c_str(), argv.data(), envp.data());
    watch.report_and_exit();
  });
  const int code = watch.outcome();
  if (!pid) return pid.error();
  if (code != 0) return system_error("exec " + command.runtime, code);
  return pid;
}

}  // namespace

Result<AgentChild> start_agent(const std::string& path, int inherited, const IdSpace* space) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return system_error("socketpair", errno);
  auto pid = start_child(space, 0, [&] {
    setsid();   // a Ctrl-C is the program's business
    dup2(pair[1], 0);
    dup2(pair[1], 1);
    keep_only(inherited);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    char* argv[] = {const_cast<char*>("dsmd"), nullptr};
    execv(path.c_str(), argv);   // if it fails, the closed control stream tells the launcher
  });
  close(pair[1]);
  if (!pid) {
    close(pair[0]);
    return pid.error();
  }
  fcntl(pair[0], F_SETFL, O_NONBLOCK);
  return AgentChild{*pid, pair[0]};
}

Result<AgentChild> start_stream_child(const std::vector<std::string>& command, int errors) {
  const auto argv = c_strings(command);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return system_error("socketpair", errno);
  ExecWatch watch;
  const bool watched = watch.make();
  const pid_t parent = getpid();
  const pid_t pid = watched ? fork() : -1;
  if (pid == 0) {
    setsid();
    die_with_parent(parent);
    dup2(pair[1], 0);
    dup2(pair[1], 1);
    dup2(errors, 2);
    keep_only(watch.fds[1]);
    fcntl(watch.fds[1], F_SETFD, FD_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execvp(argv[0], argv.data());
    watch.report_and_exit();
  }
  const int fork_failure = errno;
  close(pair[1]);
  const int exec_failure = watched ? watch.outcome() : 0;
  if (pid > 0 && !exec_failure) {
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    return AgentChild{pid, pair[0]};
  }
  close(pair[0]);
  if (pid < 0) return system_error("fork", fork_failure);
  waitpid(pid, nullptr, 0);
  return system_error("cannot run " + command[0], exec_failure);
}

Result<pid_t> start_app(const AppCommand& command) {
  std::vector<std::string> words = {"dsm-runtime", "app", descriptors_of(command), command.program};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  return start_runtime(command, words, nullptr, 0, -1);
}

Result<pid_t> start_restored_app(const AppCommand& command, const IdSpace& space, pid_t pid, int image_fd, bool resumes_output) {
  return start_runtime(command, {"dsm-runtime", resumes_output ? "resume" : "restore", descriptors_of(command), std::to_string(image_fd)}, &space, pid, image_fd);
}

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 3;
  for (const int fd : kept) {
    if (static_cast<unsigned>(fd) > next) close_range(next, static_cast<unsigned>(fd) - 1, 0);
    next = std::max(next, static_cast<unsigned>(fd) + 1);
  }
  close_range(next, ~0u, 0);
}

std::string describe_exit(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    return "was killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
  }
  return "exited with status " + std::to_string(WEXITSTATUS(wait_status));
}

bool process_runs(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const size_t after_name = text.rfind(')');   // "pid (name) state ..."
  return after_name != std::string::npos && after_name + 2 < text.size() && text[after_name + 2] != 'Z' && text[after_name + 2] != 'X';
}

}  // namespace dsm::tools
