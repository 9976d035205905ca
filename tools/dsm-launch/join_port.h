// SPDX-License-Identifier: Apache-2.0
// Where processes of the job ask for agents (libdsm/runtime/lone_join.cc): one socket pair, whose other end the program and its
// children inherit. A question brings the launcher's end of the asker's control socket, on which it is answered.
//
// Threads: the launcher's only thread. The askers are the user's own processes, but who they are is the kernel's word.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>

#include "libdsm/base/result.h"
#include "libdsm/os/fd.h"

namespace dsm::tools {

struct JoinRequest {
  pid_t pid;
  os::Fd process;    // pidfd
  os::Fd control;    // to the process's runtime
  std::string name;  // of the program, for people
};

class JoinPort {
 public:
  Status open();
  bool is_open() const { return static_cast<bool>(ours_); }
  int fd() const { return ours_.get(); }
  // For the program; -1 if not open.
  int inherited_fd() const { return theirs_.get(); }
  // The program has it: questions end when the last process of the job has.
  void close_inherited() { theirs_.reset(); }

  // The next question, or nothing now. What is malformed, or from another user, gets no answer but a closed socket.
  std::optional<JoinRequest> receive();
  // 0, or -errno: the process runs without agents.
  static void answer(const JoinRequest& request, int status);

 private:
  os::Fd ours_, theirs_;
};

}  // namespace dsm::tools
