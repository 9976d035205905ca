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

}  // namespace

Result<AgentChild> start_agent(const std::string& path, int inherited) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return system_error("socketpair", errno);
  const pid_t pid = fork();
  if (pid < 0) {
    const int code = errno;
    close(pair[0]);
    close(pair[1]);
    return system_error("fork", code);
  }
  if (pid == 0) {
    setsid();   // a Ctrl-C is the program's business
    dup2(pair[1], 0);
    dup2(pair[1], 1);
    keep_only(inherited);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    char* argv[] = {const_cast<char*>("dsmd"), nullptr};
    execv(path.c_str(), argv);
    _exit(125);   // the closed control stream tells the launcher
  }
  close(pair[1]);
  fcntl(pair[0], F_SETFL, O_NONBLOCK);
  return AgentChild{pid, pair[0]};
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
  std::string descriptors = std::to_string(command.agent_fd);
  if (command.join_fd >= 0) descriptors += "," + std::to_string(command.join_fd);
  std::vector<std::string> words = {"dsm-runtime", "app", descriptors, command.program};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  const auto argv = c_strings(words);
  const auto envp = c_strings(command.environment);
  ExecWatch watch;
  if (!watch.make()) return system_error("pipe", errno);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return system_error("fork", errno);
  if (pid == 0) {
    die_with_parent(parent);
    personality(ADDR_NO_RANDOMIZE);
    fcntl(command.agent_fd, F_SETFD, 0);
    if (command.join_fd >= 0) fcntl(command.join_fd, F_SETFD, 0);
    sigprocmask(SIG_SETMASK, &command.mask, nullptr);
    execve(command.runtime.c_str(), argv.data(), envp.data());
    watch.report_and_exit();
  }
  if (const int code = watch.outcome()) return system_error("exec " + command.runtime, code);
  return pid;
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
