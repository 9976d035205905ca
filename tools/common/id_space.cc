// SPDX-License-Identifier: Apache-2.0
#include "tools/common/id_space.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace dsm::tools {
namespace {

// What the helper process says before it ends.
struct Report {
  pid_t child;
  int error;
  char what[48];
};

// The helper's only descriptor besides: the writing end of a pipe.
class Helper {
 public:
  explicit Helper(int report) : report_(report) {}

  [[noreturn]] void done(pid_t child) const { say({child, 0, {}}); }
  [[noreturn]] void failed(const char* what) const {
    Report report{0, errno, {}};
    strncpy(report.what, what, sizeof report.what - 1);
    say(report);
  }
  void must(bool good, const char* what) const {
    if (!good) failed(what);
  }

 private:
  [[noreturn]] void say(const Report& report) const {
    (void)!write(report_, &report, sizeof report);
    _exit(0);
  }
  int report_;
};

// As fork, but the child's parent is ours, so that it outlives us as a child of the caller's.
pid_t fork_for_parent(pid_t wanted) {
  clone_args args{};
  args.flags = CLONE_PARENT;
  if (wanted != 0) {
    args.set_tid = reinterpret_cast<uintptr_t>(&wanted);
    args.set_tid_size = 1;
  }
  return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
}

bool write_file(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t done = write(fd, text.data(), text.size());
  const int code = errno;
  close(fd);
  errno = code;
  return done == static_cast<ssize_t>(text.size());
}

// What lets a process choose ids: an exec takes it from everybody but root, unless it is ambient. The restored runtime gives it up.
bool keep_right_to_choose_ids() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  data[CAP_TO_INDEX(CAP_CHECKPOINT_RESTORE)].inheritable |= CAP_TO_MASK(CAP_CHECKPOINT_RESTORE);
  if (syscall(SYS_capset, &header, data) != 0) return false;
  return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHECKPOINT_RESTORE, 0, 0) == 0;
}

void sleep_a_while() {
  const timespec time{0, 20'000'000};
  nanosleep(&time, nullptr);
}

// The first process of the namespace. Orphans become its children; it ends behind the owner, when it is alone.
[[noreturn]] void keep(int hold, int ready, pid_t last_pid) {
  setsid();
  signal(SIGCHLD, SIG_IGN);
  prctl(PR_SET_NAME, "dsm-pids");
  // The mounts of this namespace are no longer the host's, but follow them.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0)
    (void)!mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  if (last_pid > 0) write_file("/proc/sys/kernel/ns_last_pid", std::to_string(last_pid));
  close(ready);
  if (hold > 0) close_range(0, static_cast<unsigned>(hold) - 1, 0);
  close_range(static_cast<unsigned>(hold) + 1, ~0u, 0);
  char byte;
  while (read(hold, &byte, 1) != 0) {   // nobody writes: it waits for the owner's end
  }
  while (kill(-1, 0) == 0) sleep_a_while();
  _exit(0);
}

[[noreturn]] void make_namespaces(const Helper& helper, bool own_users, int hold, pid_t last_pid) {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (own_users) {
    helper.must(unshare(CLONE_NEWUSER) == 0, "a user namespace");
    const std::string user = std::to_string(uid), group = std::to_string(gid);
    helper.must(write_file("/proc/self/setgroups", "deny"), "a user namespace (setgroups)");
    helper.must(write_file("/proc/self/uid_map", user + " " + user + " 1"), "a user namespace (uid_map)");
    helper.must(write_file("/proc/self/gid_map", group + " " + group + " 1"), "a user namespace (gid_map)");
  }
  helper.must(unshare(CLONE_NEWPID | CLONE_NEWNS) == 0, "a PID namespace");
  int ready[2];
  helper.must(pipe2(ready, O_CLOEXEC) == 0, "a pipe");
  const pid_t keeper = fork_for_parent(0);
  if (keeper == 0) keep(hold, ready[1], last_pid);
  helper.must(keeper > 0, "the first process of a PID namespace");
  close(ready[1]);
  char byte;
  while (read(ready[0], &byte, 1) < 0 && errno == EINTR) {   // its end says that the mounts are made
  }
  helper.done(keeper);
}

[[noreturn]] void start_inside(const Helper& helper, int keeper, bool own_users, int alive, pid_t wanted, const std::function<void()>& run) {
  char folder[4096] = "/";   // where it is in the other tree of mounts, too
  if (getcwd(folder, sizeof folder) == nullptr) folder[0] = 0;
  helper.must(setns(keeper, (own_users ? CLONE_NEWUSER : 0) | CLONE_NEWPID | CLONE_NEWNS) == 0, "the PID namespace");
  if (folder[0] == '/') (void)!chdir(folder);
  const pid_t child = fork_for_parent(wanted);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pollfd owner{alive, 0, 0};
    if (poll(&owner, 1, 0) != 0) _exit(125);   // it hangs up: the owner was gone before the line above
    if (own_users && wanted != 0 && !keep_right_to_choose_ids()) _exit(125);
    run();
    _exit(125);
  }
  helper.must(child > 0, wanted != 0 ? "a process with a chosen pid" : "a process");
  helper.done(child);
}

// Runs `work` in a process of its own and takes its report.
Result<pid_t> with_helper(const std::function<void(const Helper&)>& work) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC)) return system_error("pipe", errno);
  os::Fd reader(pipe_fds[0]), writer(pipe_fds[1]);
  const pid_t helper = fork();
  if (helper < 0) return system_error("fork", errno);
  if (helper == 0) work(Helper(writer.get()));
  writer.reset();
  Report report{};
  ssize_t got;
  do got = read(reader.get(), &report, sizeof report);
  while (got < 0 && errno == EINTR);
  while (waitpid(helper, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (got != sizeof report) return Error{"the helper that makes namespaces died", 0};
  if (report.child > 0) return report.child;
  report.what[sizeof report.what - 1] = 0;
  return system_error("needed to restore a program with its old process ids: " + std::string(report.what) + ". Found", report.error);
}

}  // namespace

Result<IdSpace> IdSpace::make(pid_t last_pid) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC)) return system_error("pipe", errno);
  IdSpace space;
  space.alive_.reset(pipe_fds[0]);
  space.hold_.reset(pipe_fds[1]);
  space.own_users_ = geteuid() != 0;
  auto keeper = with_helper([&](const Helper& helper) { make_namespaces(helper, space.own_users_, pipe_fds[0], last_pid); });
  if (!keeper) return keeper.error();
  space.keeper_ = *keeper;
  return space;
}

Result<pid_t> IdSpace::start(pid_t pid, const std::function<void()>& run) const {
  const os::Fd keeper(static_cast<int>(syscall(SYS_pidfd_open, keeper_, 0)));
  if (!keeper) return system_error("pidfd_open", errno);
  return with_helper([&](const Helper& helper) {
    ::close(hold_.get());   // from here on its only writer is the owner
    start_inside(helper, keeper.get(), own_users_, alive_.get(), pid, run);
  });
}

}  // namespace dsm::tools
