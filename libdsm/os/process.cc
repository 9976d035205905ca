// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/process.h"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dsm::os {
namespace {

// struct sched_attr of <linux/sched/types.h>, which cannot be included beside <sched.h>; its first published size.
struct SchedAttributes {
  uint32_t size = sizeof(SchedAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;
  uint64_t deadline = 0;
  uint64_t period = 0;
};
static_assert(sizeof(SchedAttributes) == 48);

constexpr uint64_t kResetOnFork = 1;            // SCHED_FLAG_RESET_ON_FORK
constexpr uint64_t kShortestSliceNs = 100'000;  // the least that the kernel takes

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

// Runs between vfork and exec, on the parent's memory: system calls only, and the answer through *failure.
[[noreturn]] void become_child(const SpawnOptions& options, char** argv, char** envp, int parent, volatile int* failure) {
  if (options.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // the parent died before the line above
  }
  if (options.fixed_addresses) ::personality(ADDR_NO_RANDOMIZE);
  int null_device = options.quiet_stdio ? ::open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
  if (null_device >= 0 && (::dup2(null_device, 0) < 0 || ::dup2(null_device, 1) < 0)) ::_exit(127);
  if (options.inherited_fd >= 0) ::fcntl(options.inherited_fd, F_SETFD, 0);
  ::execve(options.path.c_str(), argv, envp);
  *failure = errno;
  ::_exit(127);
}

}  // namespace

Result<Child> Child::spawn(const SpawnOptions& options) {
  std::vector<char*> argv = pointers(options.arguments);
  std::vector<char*> envp = pointers(options.environment);
  volatile int failure = 0;
  int parent = ::getpid();
  int pid = ::vfork();
  if (pid == 0) become_child(options, argv.data(), envp.data(), parent, &failure);
  if (pid < 0) return system_error("cannot start " + options.path, errno);
  if (failure != 0) {
    ::waitpid(pid, nullptr, 0);
    return system_error("cannot run " + options.path, failure);
  }
  Fd pidfd = open_pidfd(pid);
  if (!pidfd) return system_error("pidfd_open", errno);
  return Child(pid, std::move(pidfd));
}

void Child::kill_if_running(int signal) const {
  if (pid_ > 0) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
}

std::string Child::reap_if_ended() {
  if (pid_ <= 0) return {};
  int status = 0;
  int got = ::waitpid(pid_, &status, WNOHANG);
  if (got == 0 || (got < 0 && errno == EINTR)) return {};
  pid_ = 0;
  if (got < 0) return "vanished";
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

Fd open_pidfd(int pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

int queue_thread_signal(int pid, ThreadId thread, int signal, int32_t error, uint64_t value) {
  siginfo_t info;
  std::memset(&info, 0, sizeof info);
  info.si_signo = signal;
  info.si_errno = error;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(value);
  return ::syscall(SYS_rt_tgsigqueueinfo, pid, thread.value, signal, &info) < 0 ? -errno : 0;
}

uint64_t process_cpu_ns(int pid) {
  clockid_t clock;
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}

uint64_t own_private_bytes() {
  char text[128];
  Fd file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  const ssize_t got = file ? ::read(file.get(), text, sizeof text - 1) : 0;
  text[got > 0 ? got : 0] = 0;
  unsigned long total = 0, resident = 0, shared = 0;
  if (std::sscanf(text, "%lu %lu %lu", &total, &resident, &shared) != 3 || resident < shared) return 0;
  return (resident - shared) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

int own_pid() { return ::getpid(); }

int online_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

int raise_fd_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

void use_fine_timers() { ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); }

int use_short_slices() {
  SchedAttributes attributes;
  attributes.flags = kResetOnFork;
  attributes.nice = ::getpriority(PRIO_PROCESS, 0);
  attributes.runtime = kShortestSliceNs;
  return ::syscall(SYS_sched_setattr, 0, &attributes, 0) == 0 ? 0 : -errno;
}

void yield() { ::sched_yield(); }

}  // namespace dsm::os
