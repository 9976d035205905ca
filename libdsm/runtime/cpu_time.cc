// SPDX-License-Identifier: Apache-2.0
// The kernel counts for the program's process here. What its threads use on other nodes their vessels' processes use, and the
// agents know it; it is counted as user time. A worker's kernel thread runs one thread of the program after the other.
//
// Context: as dispatch.h says of handlers.
#include "libdsm/runtime/cpu_time.h"

#include <asm-generic/errno.h>
#include <linux/time.h>

#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000, kNsPerTick = 10'000'000;   // USER_HZ is 100
constexpr int32_t kSelf = 0, kThread = 1;                                    // RUSAGE_*

struct Timespec {
  int64_t seconds, nanoseconds;
};
struct Timeval {
  int64_t seconds, microseconds;
};
struct Usage {   // struct rusage
  Timeval user, system;
  int64_t rest[14];
};
static_assert(sizeof(Usage) == 144);

uint64_t ns_of(const Timeval& t) { return static_cast<uint64_t>(t.seconds) * kNsPerSecond + static_cast<uint64_t>(t.microseconds) * 1000; }
Timeval timeval_of(uint64_t ns) {
  return {static_cast<int64_t>(ns / kNsPerSecond), static_cast<int64_t>(ns % kNsPerSecond / 1000)};
}

// Of the calling thread's `usage` in this process's kernel, what it has consumed on all its nodes.
void set_thread_times(const Thread& thread, Usage& usage) {
  const uint64_t total = board::program_thread_cpu_ns(thread), system = ns_of(usage.system);
  usage.system = timeval_of(system < total ? system : total);
  usage.user = timeval_of(system < total ? total - system : 0);
}

// Of all other nodes, in ns. Costs a round trip, at most once a millisecond, once a thread has run elsewhere.
uint64_t cpu_ns_elsewhere() {
  if (process().board == nullptr) return 0;   // a lone process
  if (__atomic_load_n(&process().board->remote_threads_ever, __ATOMIC_RELAXED) == 0) return 0;
  abi::Packet packet = {};
  packet.op = abi::Op::kCpuTime;
  const int64_t ns = process().control.request(packet);
  return ns > 0 ? static_cast<uint64_t>(ns) : 0;
}

// The clock that the kernel gives for (pid, CPU time of the process).
bool is_own_process_clock(int32_t clock) {
  constexpr int32_t kScheduled = 2, kKindBits = 7;   // CPUCLOCK_SCHED, and not CPUCLOCK_PERTHREAD_MASK
  if (clock == CLOCK_PROCESS_CPUTIME_ID) return true;
  const int32_t pid = ~(clock >> 3);
  return clock < 0 && (clock & kKindBits) == kScheduled && (pid == 0 || pid == process().pid);
}

}  // namespace

int64_t clock_gettime_at_origin(Call& call) {
  const auto clock = static_cast<int32_t>(call.arg[0]);
  if (clock == CLOCK_THREAD_CPUTIME_ID) {
    const uint64_t ns = board::program_thread_cpu_ns(call.thread);
    return write_program(call.arg[1], Timespec{static_cast<int64_t>(ns / kNsPerSecond), static_cast<int64_t>(ns % kNsPerSecond)});
  }
  if (!is_own_process_clock(clock)) return run_natively(call);
  Timespec time = {};
  if (const int64_t error = sys(call.number, clock, &time); error != 0) return error;
  const uint64_t ns = static_cast<uint64_t>(time.seconds) * kNsPerSecond + static_cast<uint64_t>(time.nanoseconds) + cpu_ns_elsewhere();
  return write_program(call.arg[1], Timespec{static_cast<int64_t>(ns / kNsPerSecond), static_cast<int64_t>(ns % kNsPerSecond)});
}

int64_t getrusage_at_origin(Call& call) {
  const auto who = static_cast<int32_t>(call.arg[0]);
  if (who != kSelf && who != kThread) return run_natively(call);
  Usage usage = {};
  if (const int64_t error = sys(call.number, who, &usage); error != 0) return error;
  if (who == kThread) {
    if (call.thread.remote.cpu_carry_ns != 0) set_thread_times(call.thread, usage);
    return copy_to_program(call.arg[1], &usage, sizeof usage);
  }
  usage.user = timeval_of(ns_of(usage.user) + cpu_ns_elsewhere());
  return copy_to_program(call.arg[1], &usage, sizeof usage);
}

int64_t getrusage_in_vessel(Call& call) {
  const auto who = static_cast<int32_t>(call.arg[0]);
  if (who != kThread) return delegate(call);
  Usage usage = {};
  if (const int64_t error = sys(call.number, who, &usage); error != 0) return error;
  set_thread_times(call.thread, usage);
  return copy_to_program(call.arg[1], &usage, sizeof usage);
}

int64_t times_at_origin(Call& call) {
  int64_t ticks[4] = {};   // struct tms: user, system, and those of children
  const int64_t now = sys(call.number, ticks);
  if (call.arg[0] == 0) return now;
  ticks[0] += static_cast<int64_t>(cpu_ns_elsewhere() / kNsPerTick);
  const int64_t error = copy_to_program(call.arg[0], ticks, sizeof ticks);
  return error != 0 ? error : now;
}

}  // namespace dsm::runtime
