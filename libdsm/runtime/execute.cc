// SPDX-License-Identifier: Apache-2.0
// execve in the program's process: a real execve of the runtime, which loads the new program (application.cc) and goes on as the
// same job. The kernel does what belongs to execve: it ends the other threads, gives this one the pid, closes what is
// close-on-exec, keeps masks and ignored signals. The control socket is handed over as an inherited descriptor.
//
// Everything that execve may refuse is checked before the point of no return, so that the caller sees the error.
//
// Context: handler at the origin (dispatch.h) of a distributed process. What its children execute: lone_exec.cc.
#include "libdsm/runtime/execute.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/program_file.h"
#include "libdsm/runtime/proc_paths.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

struct ExecRequest {
  char path[kPathBytes];
  uint64_t argv, environment;
};

constexpr int kCloseOnExec = 1;   // FD_CLOEXEC

// The path names a descriptor that execve would close, but that the new image has still to load the program from.
bool must_be_held(int64_t fd) { return fd >= 0 && sys(__NR_fcntl, fd, F_GETFD) == kCloseOnExec; }

int64_t run_again(const ExecRequest& request) {
  Process& self = process();
  ArgumentList argv(self.arena), environment(self.arena);
  if (const int64_t error = argv.append_array_from_program(request.argv); error != 0) return error;
  if (const int64_t error = environment.append_array_from_program(request.environment); error != 0) return error;
  if (argv.size() == 0 && argv.append("") != 0) return -E2BIG;   // as Linux since 5.18
  {
    // A trial on a copy of the arguments: #! lines change them, and the new image follows those lines itself.
    ArgumentList trial(self.arena);
    ProgramFile file;
    if (const int64_t error = open_program(request.path, trial, file); error != 0) return error;
  }
  const int launcher = self.lone.launcher_fd;
  char fd[48];
  TextBuffer fds(fd, sizeof fd);
  fds.decimal(self.control.fd());
  if (watches_children(self.lone)) fds.text(",").decimal(launcher).text(self.lone.joined ? ",1" : "");
  int64_t error = argv.prepend(request.path);
  if (error == 0) error = argv.prepend(fd);
  const int64_t named = descriptor_of(request.path);
  const bool held = must_be_held(named);
  if (error == 0) error = argv.prepend(held ? "exec-held" : "exec");
  if (error == 0) error = argv.prepend(self.runtime_path);
  if (error != 0) return error;

  LockGuard guard(self.exec_lock);
  // The execve ends the other threads where they are: none may leave a fork, a change of the map or a request to the agent half done.
  LockGuard fork_guard(self.remote.fork_lock);
  LockGuard memory_guard(self.memory.lock());
  LockGuard control_guard(self.control.lock());
  // A child that another thread forks at this moment inherits the sockets until its own exec; it does not use them.
  sys(__NR_fcntl, self.control.fd(), F_SETFD, 0);
  if (watches_children(self.lone)) sys(__NR_fcntl, launcher, F_SETFD, 0);
  if (held) sys(__NR_fcntl, named, F_SETFD, 0);
  // A kick (migrate.h) before the new image has its handlers would kill it; what is ignored stays so across execve.
  const KernelSigAction ignore = {kHandlerIgnore, 0, 0, 0};
  KernelSigAction before;
  RT_MUST(sys(__NR_rt_sigaction, abi::kSignalKick, &ignore, &before, 8));
  error = sys(__NR_execve, self.runtime_path, argv.data(), environment.data());
  RT_MUST(sys(__NR_rt_sigaction, abi::kSignalKick, &before, nullptr, 8));
  if (held) sys(__NR_fcntl, named, F_SETFD, kCloseOnExec);
  if (watches_children(self.lone)) sys(__NR_fcntl, launcher, F_SETFD, FD_CLOEXEC);
  sys(__NR_fcntl, self.control.fd(), F_SETFD, FD_CLOEXEC);
  return error;
}

}  // namespace

int64_t do_execve(Call& call) {
  ExecRequest request = {{}, call.arg[1], call.arg[2]};
  const int64_t length = copy_string_from_program(request.path, call.arg[0], sizeof request.path);
  if (length < 0) return length;
  if (length == 0) return -ENOENT;
  if (is_own_exe_link(request.path)) memcpy(request.path, process().program_path, sizeof request.path);
  return run_again(request);
}

int64_t do_execveat(Call& call) {
  ExecRequest request = {{}, call.arg[2], call.arg[3]};
  const int64_t error = path_of_execveat(call, request.path);
  return error != 0 ? error : run_again(request);
}

int64_t path_of_execveat(const Call& call, char* to) {
  constexpr uint64_t kEmptyPath = 0x1000;   // AT_EMPTY_PATH
  char name[kPathBytes];
  const int64_t length = copy_string_from_program(name, call.arg[1], sizeof name);
  if (length < 0) return length;
  const int64_t directory = static_cast<int32_t>(call.arg[0]);
  TextBuffer path(to, kPathBytes);
  if (length == 0 && (call.arg[4] & kEmptyPath) == 0) return -ENOENT;
  if (length == 0 || (name[0] != '/' && directory != AT_FDCWD)) path.text("/proc/self/fd/").decimal(directory);
  if (length > 0 && path.size() > 0) path.text("/");
  path.text(name);
  return path.full() ? -ENAMETOOLONG : 0;
}

}  // namespace dsm::runtime
