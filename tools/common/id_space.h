// SPDX-License-Identifier: Apache-2.0
// A PID namespace in which a process can be started with a chosen pid, and give its threads chosen ids: what a program needs that is
// restored from a checkpoint. An ordinary user gets a user namespace around it, in which nothing changes but that: his own uid and gid,
// mapped to themselves. Where the kernel allows it, /proc shows the namespace.
//
// What is started in it is a child of the caller: waitpid, WUNTRACED and PR_SET_PDEATHSIG work as ever. Inside, the parent's pid is 0.
//
// Threads: the owner's only thread.
// Invariant: the namespace lives until close() or the owner's end, and then until its last process has ended.
#pragma once
#include <sys/types.h>

#include <functional>

#include "libdsm/base/result.h"
#include "libdsm/os/fd.h"

namespace dsm::tools {

class IdSpace {
 public:
  // `last_pid`: pids that nobody chooses begin behind it (0: at the beginning).
  static Result<IdSpace> make(pid_t last_pid = 0);
  IdSpace() = default;
  IdSpace(IdSpace&&) = default;
  IdSpace& operator=(IdSpace&&) = default;

  explicit operator bool() const { return keeper_ > 0; }
  // A child of the caller that runs `run`, which does not return, as `pid` of the namespace (0: any). The answer is the caller's name for it.
  // It is killed when the caller ends. One with a chosen pid may choose the ids of its threads, also behind an exec.
  Result<pid_t> start(pid_t pid, const std::function<void()>& run) const;
  // The namespace's first process: a child of the caller, to be reaped by it some time after close().
  pid_t keeper() const { return keeper_; }
  void close() { hold_.reset(); }

 private:
  pid_t keeper_ = 0;
  bool own_users_ = false;
  os::Fd hold_;    // the keeper reads its end
  os::Fd alive_;   // the keeper's end: hangs up when the owner is gone
};

}  // namespace dsm::tools
