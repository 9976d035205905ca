// SPDX-License-Identifier: Apache-2.0
// The process family: identity, execve, resource limits, and what a program asks about the machine, which is answered for
// the sum of the nodes. Clone, exit and signals have families of their own.
#include <asm-generic/errno.h>
#include <linux/prctl.h>
#include <linux/resource.h>

#include "libdsm/runtime/execute.h"
#include "libdsm/runtime/kernel_limits.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

int64_t do_getpid(Call&) { return process().pid; }

// ---- CPUs -------------------------------------------------------------------------------------------------------
Thread* affected_thread(Call& call) {
  const int32_t tid = static_cast<int32_t>(call.arg[0]);
  return tid == 0 || tid == call.thread.tid ? &call.thread : process().threads.find(tid);
}

// As the kernel's: whole words, enough for every CPU there is.
uint64_t affinity_bytes() { return (process().welcome.total_cpus + 63) / 64 * 8; }

int64_t do_sched_getaffinity(Call& call) {
  const Thread* thread = affected_thread(call);
  if (thread == nullptr) return run_natively(call);
  const uint64_t capacity = static_cast<uint32_t>(call.arg[1]), bytes = affinity_bytes();
  if (capacity % 8 != 0 || capacity < bytes) return -EINVAL;
  const int64_t error = copy_to_program(call.arg[2], thread->affinity.word, bytes);
  return error != 0 ? error : static_cast<int64_t>(bytes);
}

// Remembered and told back, not obeyed: which CPU of which node runs a thread is the placement's decision.
int64_t do_sched_setaffinity(Call& call) {
  Thread* thread = affected_thread(call);
  if (thread == nullptr) return run_natively(call);
  CpuSet wanted = {};
  const uint64_t given = static_cast<uint32_t>(call.arg[1]);
  const uint64_t bytes = given < sizeof wanted ? given : sizeof wanted;
  if (const int64_t error = copy_from_program(wanted.word, call.arg[2], bytes); error != 0) return error;
  uint64_t any = 0;
  for (unsigned i = 0; i < sizeof wanted.word / sizeof wanted.word[0]; i++)
    any |= wanted.word[i] &= process().threads.default_affinity.word[i];
  if (any == 0) return -EINVAL;
  thread->affinity = wanted;
  return 0;
}

int64_t do_getcpu(Call& call) {
  uint32_t cpu = 0, numa_node = 0;
  sys(__NR_getcpu, &cpu, &numa_node, nullptr);
  const abi::Welcome& welcome = process().welcome;
  cpu = (cpu + welcome.node * welcome.cpus_of_node[0]) % (welcome.total_cpus != 0 ? welcome.total_cpus : 1);
  if (call.arg[0] != 0)
    if (const int64_t error = write_program(call.arg[0], cpu); error != 0) return error;
  return call.arg[1] != 0 ? write_program(call.arg[1], uint32_t{0}) : 0;
}

// Memory of this machine times the machines, which are assumed alike; or what the nodes may use of it.
int64_t do_sysinfo(Call& call) {
  KernelSysinfo info = {};
  if (const int64_t error = sys(__NR_sysinfo, &info); error != 0) return error;
  const abi::Welcome& welcome = process().welcome;
  info.total_ram *= welcome.hosts;
  info.free_ram *= welcome.hosts;
  if (welcome.node_memory_bytes != 0 && info.unit != 0) {
    const uint64_t budget = welcome.node_memory_bytes / info.unit * welcome.nodes;
    if (info.total_ram > budget) info.total_ram = budget;
    if (info.free_ram > budget) info.free_ram = budget;
  }
  return copy_to_program(call.arg[0], &info, sizeof info);
}

// ---- Limits -----------------------------------------------------------------------------------------------------
// RLIMIT_NOFILE: the soft limit is the kernel's, the hard one is kept here once the program has lowered it, because the
// runtime needs numbers above what the program allows itself.
int64_t change_file_limit(const ResourceLimit* change, ResourceLimit* before) {
  Process& self = process();
  LockGuard guard(self.private_fds.lock());
  ResourceLimit now = resource_limit(RLIMIT_NOFILE);
  const uint64_t real_hard = now.hard;
  if (self.file_limit_hard != 0 && self.file_limit_hard < now.hard) now.hard = self.file_limit_hard;
  *before = now;
  if (change == nullptr) return 0;
  if (change->soft > change->hard) return -EINVAL;
  // Raising a hard limit needs a privilege: the kernel decides when it is its own limit, we when it is ours.
  if (change->hard > now.hard && change->hard <= real_hard && sys(__NR_geteuid) != 0) return -EPERM;
  const ResourceLimit native = {change->soft, change->hard > real_hard ? change->hard : real_hard};
  if (const int64_t error = set_resource_limit(RLIMIT_NOFILE, native); error != 0) return error;
  self.file_limit_hard = change->hard;
  return 0;
}

int64_t limit_of_files(uint64_t change_address, uint64_t before_address) {
  ResourceLimit change = {}, before = {};
  if (change_address != 0)
    if (const int64_t error = read_program(change, change_address); error != 0) return error;
  if (const int64_t error = change_file_limit(change_address != 0 ? &change : nullptr, &before); error != 0) return error;
  return before_address != 0 ? write_program(before_address, before) : 0;
}

int64_t do_prlimit64(Call& call) {
  const int32_t pid = static_cast<int32_t>(call.arg[0]);
  if (call.arg[1] == RLIMIT_NOFILE && (pid == 0 || pid == process().pid)) return limit_of_files(call.arg[2], call.arg[3]);
  return run_natively(call);
}

int64_t do_setrlimit(Call& call) { return call.arg[0] == RLIMIT_NOFILE ? limit_of_files(call.arg[1], 0) : run_natively(call); }

int64_t do_getrlimit(Call& call) { return call.arg[0] == RLIMIT_NOFILE ? limit_of_files(0, call.arg[1]) : run_natively(call); }

// ---- The rest ---------------------------------------------------------------------------------------------------
int64_t do_prctl(Call& call) {
  constexpr int32_t kSetSyscallUserDispatch = 59;
  switch (static_cast<int32_t>(call.arg[0])) {
    case kSetSyscallUserDispatch:
      return -EINVAL;
    case PR_SET_SECCOMP:
      return process().refusals.refuse(call.number, EINVAL);
    case PR_SET_MM:
      return -EPERM;
    default:
      return run_natively(call);
  }
}

int64_t getrandom_in_vessel(Call& call) {
  uint8_t piece[256];
  uint64_t done = 0;
  while (done < call.arg[1]) {
    const uint64_t want = call.arg[1] - done < sizeof piece ? call.arg[1] - done : sizeof piece;
    const int64_t got = sys(__NR_getrandom, piece, want, call.arg[2]);
    if (got <= 0) return done > 0 ? static_cast<int64_t>(done) : got;
    if (const int64_t error = copy_to_program(call.arg[0] + done, piece, static_cast<size_t>(got)); error != 0) return error;
    done += static_cast<uint64_t>(got);
  }
  return static_cast<int64_t>(done);
}

constexpr CallClass kDelegated = CallClass::kDelegated, kLocal = CallClass::kLocal, kRefused = CallClass::kRefused;
constexpr CallRule kRules[] = {
    {__NR_getpid, kLocal, 0, 0, do_getpid, do_getpid},
    {__NR_getppid, kDelegated, 0, 0, nullptr, nullptr},
    {__NR_getuid, kDelegated, 0, 0, nullptr, nullptr},
    {__NR_geteuid, kDelegated, 0, 0, nullptr, nullptr},
    {__NR_getgid, kDelegated, 0, 0, nullptr, nullptr},
    {__NR_getegid, kDelegated, 0, 0, nullptr, nullptr},
    {__NR_uname, kDelegated, 0, 0, nullptr, nullptr},
    {__NR_execve, kDelegated, 0, 0, do_execve, nullptr},
    {__NR_execveat, kDelegated, 0, 0, do_execveat, nullptr},
    {__NR_wait4, kDelegated, kMayBlock, 0, nullptr, nullptr},
    {__NR_waitid, kDelegated, kMayBlock, 0, nullptr, nullptr},

    {__NR_sched_getaffinity, kDelegated, 0, 0, do_sched_getaffinity, nullptr},
    {__NR_sched_setaffinity, kDelegated, 0, 0, do_sched_setaffinity, nullptr},
    {__NR_getcpu, kLocal, 0, 0, do_getcpu, do_getcpu},
    {__NR_sysinfo, kDelegated, 0, 0, do_sysinfo, nullptr},
    {__NR_getrandom, kLocal, 0, 0, nullptr, getrandom_in_vessel},

    {__NR_prlimit64, kDelegated, 0, 0, do_prlimit64, nullptr},
    {__NR_getrlimit, kDelegated, 0, 0, do_getrlimit, nullptr},
    {__NR_setrlimit, kDelegated, 0, 0, do_setrlimit, nullptr},
    {__NR_prctl, kDelegated, 0, 0, do_prctl, nullptr},

    // They cannot coexist with the way in which the runtime sees system calls; programs fall back.
    {__NR_ptrace, kRefused, 0, EPERM, nullptr, nullptr},
    {__NR_seccomp, kRefused, 0, ENOSYS, nullptr, nullptr},
};

}  // namespace

CallRules process_call_rules() { return rules_of(kRules); }

}  // namespace dsm::runtime
