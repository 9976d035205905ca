// SPDX-License-Identifier: Apache-2.0
// Starting the two kinds of processes of a job: node agents (out of the terminal's reach, stdin and stdout are their
// control stream) and the application (in the launcher's own process group, with the launcher's stdin, stdout, stderr).
//
// Threads: the launcher's only thread; children die with it (PR_SET_PDEATHSIG is per thread).
#pragma once
#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "tools/common/id_space.h"

namespace dsm::tools {

struct AgentChild {
  pid_t pid;
  int control;   // non-blocking stream, ours to close
};

// `inherited`: a descriptor the agent keeps under the same number, or -1. Every other descriptor is closed in it. `space`: where it runs; the
// agent of a restored program must name that program's threads as they name themselves.
Result<AgentChild> start_agent(const std::string& path, int inherited, const IdSpace* space = nullptr);

// Any other command that carries a control stream over its stdin and stdout; found as execvp would, stderr is `errors`. It is
// killed when the launcher ends, however that is.
Result<AgentChild> start_stream_child(const std::vector<std::string>& command, int errors);

struct AppCommand {
  std::string runtime;                 // dsm-runtime
  int agent_fd;                        // its end of the socket to agent 0
  int join_fd;                         // where its children ask for agents, or -1
  std::string program;                 // absolute path
  std::vector<std::string> arguments;  // argv[0] first
  std::vector<std::string> environment;
  sigset_t mask;                       // signal mask the program starts with
};

Result<pid_t> start_app(const AppCommand& command);

// The program again, from its process image: `image_fd` holds it, `pid` is the pid in it. program, arguments and environment of `command` do
// not count. `resumes_output`: stdin, stdout and stderr are those of old, and are set back if they are files. The answer is the launcher's name for the process.
Result<pid_t> start_restored_app(const AppCommand& command, const IdSpace& space, pid_t pid, int image_fd, bool resumes_output);

// In a child that executes nothing: closes all descriptors but 0, 1, 2 and these.
void close_all_but(std::vector<int> kept);

// "exited with status 3", "was killed by signal 9 (Killed)", from a wait status.
std::string describe_exit(int wait_status);

// False once the process has ended, also while nobody has reaped it yet.
bool process_runs(pid_t pid);

}  // namespace dsm::tools
