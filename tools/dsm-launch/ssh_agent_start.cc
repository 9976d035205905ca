// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/ssh_agent_start.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <sstream>
#include <utility>

#include "tools/common/complain.h"
#include "tools/common/exit_codes.h"

namespace dsm::tools {
namespace {

constexpr int kSshFailed = 255;              // ssh's own trouble, or the remote command was killed by a signal
constexpr size_t kLongestLine = 4096;

// For every shell that may be a login shell there.
std::string quoted(const std::string& path) {
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

// An agent's log line or one of the vessel's; "dsmuser@host: Permission denied" is neither.
bool is_ours(const std::string& line) {
  return line.starts_with("dsmd[") || line.starts_with("dsmd: ") || line.starts_with("dsm-runtime: ");
}

}  // namespace

std::vector<std::string> ssh_command(const std::string& ssh, const std::string& host, const std::string& agent_path) {
  std::vector<std::string> command;
  std::istringstream words(ssh);
  for (std::string word; words >> word;) command.push_back(word);
  for (const char* option : {"BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=2", "ServerAliveCountMax=3", "ControlMaster=no",
                             "ClearAllForwardings=yes", "ForwardX11=no", "ForwardAgent=no", "PermitLocalCommand=no", "RequestTTY=no",
                             "LogLevel=INFO", "EscapeChar=none"}) {
    command.push_back("-o");
    command.push_back(option);
  }
  command.push_back("--");
  command.push_back(host);
  // No shell stays between: what happens to the agent happens to the session.
  command.push_back("exec " + quoted(agent_path));
  return command;
}

Result<SshChild> start_ssh(const std::vector<std::string>& command) {
  int errors[2];
  if (pipe2(errors, O_CLOEXEC)) return system_error("pipe", errno);
  auto child = start_stream_child(command, errors[1]);
  close(errors[1]);
  if (!child) {
    close(errors[0]);
    return child.error();
  }
  fcntl(errors[0], F_SETFL, O_NONBLOCK);
  return SshChild{child.value(), errors[0]};
}

RemoteErrors::RemoteErrors(RemoteErrors&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), verbose_(other.verbose_), pending_(std::move(other.pending_)),
      explanation_(std::move(other.explanation_)) {}

RemoteErrors& RemoteErrors::operator=(RemoteErrors&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(verbose_, other.verbose_);
  std::swap(pending_, other.pending_);
  std::swap(explanation_, other.explanation_);
  return *this;
}

RemoteErrors::~RemoteErrors() {
  if (fd_ >= 0) close(fd_);
}

void RemoteErrors::read_available() {
  char buffer[4096];
  while (fd_ >= 0) {
    const ssize_t n = read(fd_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      close(std::exchange(fd_, -1));
      if (!pending_.empty()) take_line(std::exchange(pending_, {}));
      return;
    }
    pending_.append(buffer, static_cast<size_t>(n));
    for (size_t end; (end = pending_.find('\n')) != std::string::npos || pending_.size() > kLongestLine;) {
      end = std::min(end, kLongestLine);
      take_line(pending_.substr(0, end));
      pending_.erase(0, end + 1);
    }
  }
}

void RemoteErrors::take_line(std::string line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  if (line.empty()) return;
  if (verbose_ || is_ours(line)) complain("{}\n", line);
  if (!is_ours(line)) explanation_ = std::move(line);
}

std::string describe_ssh_end(int wait_status, bool heard_of, const std::string& host, const std::string& agent_path,
                             const std::string& explanation) {
  const std::string because = explanation.empty() ? "" : ": " + explanation;
  if (WIFSIGNALED(wait_status)) return fmt::format("ssh to {} {}", host, describe_exit(wait_status));
  const int status = WEXITSTATUS(wait_status);
  if (heard_of) {
    if (status != kSshFailed) return fmt::format("its agent exited with status {}{}", status, because);
    return explanation.empty() ? "its agent was killed, or the connection that ssh held to it was" : "ssh lost the connection to its agent" + because;
  }
  if (status == kSshFailed) return fmt::format("cannot start its agent: ssh to {} failed{}", host, because.empty() ? " (status 255)" : because);
  if (status == kExitNotFound || status == kExitNotExecutable)
    return fmt::format("cannot start its agent: no {} on {} that can be run; install dsm there, or say where it is with --remote-prefix{}",
                       agent_path, host, explanation.empty() ? "" : " (" + explanation + ")");
  return fmt::format("its agent ended with status {} before it was heard of{}", status, because);
}

}  // namespace dsm::tools
