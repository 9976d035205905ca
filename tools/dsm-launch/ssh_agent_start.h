// SPDX-License-Identifier: Apache-2.0
// An agent on another host: a child `ssh HOST exec dsmd`, whose stdin and stdout are the agent's control stream. What ssh, the
// remote shell and the agent write to stderr comes to us, so that an end can be explained in one line.
//
// The secret is not among the arguments: it goes over the control stream, like everything else.
#pragma once
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "tools/dsm-launch/child_process.h"

namespace dsm::tools {

// The command line: BatchMode (never a question), a time limit for connecting, and probes, so that ssh ends by itself within
// some 6 s when the network is cut. `ssh` is a command with arguments, separated by blanks.
std::vector<std::string> ssh_command(const std::string& ssh, const std::string& host, const std::string& agent_path);

// Starts it, out of the terminal's reach; it dies with the launcher. `errors` is the non-blocking read end of its stderr.
struct SshChild {
  AgentChild agent;
  int errors;
};
Result<SshChild> start_ssh(const std::vector<std::string>& command);

// Collects what comes from stderr. Lines of our own programs are passed on to the launcher's stderr as they come (all lines,
// if verbose); the last other one is kept as the explanation of an end.
class RemoteErrors {
 public:
  RemoteErrors() = default;
  RemoteErrors(int fd, bool verbose) : fd_(fd), verbose_(verbose) {}
  RemoteErrors(RemoteErrors&& other) noexcept;
  RemoteErrors& operator=(RemoteErrors&& other) noexcept;
  ~RemoteErrors();

  int fd() const { return fd_; }   // -1 once it has ended, or if there is none
  void read_available();
  const std::string& explanation() const { return explanation_; }

 private:
  void take_line(std::string line);

  int fd_ = -1;
  bool verbose_ = false;
  std::string pending_, explanation_;
};

// Why an agent started by ssh has ended, for people. `heard_of`: it had reported for duty before.
std::string describe_ssh_end(int wait_status, bool heard_of, const std::string& host, const std::string& agent_path,
                             const std::string& explanation);

}  // namespace dsm::tools
