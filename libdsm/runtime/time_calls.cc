// SPDX-License-Identifier: Apache-2.0
// Clocks and sleeps run on the thread's own node. In a vessel the kernel must not touch program memory for it (a page that the
// origin's map refuses would leave the call hanging), so arguments and results go through the runtime's stack.
#include <asm-generic/errno.h>
#include <linux/time.h>

#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/cpu_time.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

struct Timespec {
  int64_t seconds, nanoseconds;
};

// A clock that counts from the start of a host: where the nodes are on several hosts, there must be one for all threads.
bool is_origin_clock(int32_t clock) {
  constexpr int32_t kCounting[] = {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM};
  if (process().welcome.origin_clock == 0) return false;
  for (const int32_t counting : kCounting)
    if (clock == counting) return true;
  return false;
}

// clock_gettime, clock_getres: (clock, result). The CPU clocks of other threads and of the process are the origin's to tell.
int64_t clock_in_vessel(Call& call) {
  const int32_t clock = static_cast<int32_t>(call.arg[0]);
  if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || is_origin_clock(clock)) return delegate(call);
  Timespec time;
  const int64_t result = sys(call.number, clock, &time);
  if (result != 0 || call.arg[1] == 0) return result;
  if (clock == CLOCK_THREAD_CPUTIME_ID && call.number == __NR_clock_gettime) {
    const uint64_t ns = board::program_thread_cpu_ns(call.thread);
    time = {static_cast<int64_t>(ns / 1'000'000'000), static_cast<int64_t>(ns % 1'000'000'000)};
  }
  return write_program(call.arg[1], time);
}

int64_t gettimeofday_in_vessel(Call& call) {
  struct {
    int64_t seconds, microseconds;
  } time;
  struct {
    int32_t minutes_west, dst;
  } zone;
  if (const int64_t error = sys(__NR_gettimeofday, &time, &zone); error != 0) return error;
  if (call.arg[0] != 0)
    if (const int64_t error = write_program(call.arg[0], time); error != 0) return error;
  return call.arg[1] != 0 ? write_program(call.arg[1], zone) : 0;
}

int64_t time_in_vessel(Call& call) {
  const int64_t now = sys(__NR_time, nullptr);
  if (call.arg[0] == 0) return now;
  const int64_t error = write_program(call.arg[0], now);
  return error != 0 ? error : now;
}

// The sleep is made with addresses on this stack; what remains goes back only if the program asked and was interrupted.
int64_t sleep_in_vessel(Call& call, unsigned request_argument, bool absolute) {
  Timespec request, remaining = {};
  if (const int64_t error = read_program(request, call.arg[request_argument]); error != 0) return error;
  Call inner = {call.thread, call.user, call.number, {call.arg[0], call.arg[1], call.arg[2], call.arg[3], 0, 0}};
  inner.arg[request_argument] = reinterpret_cast<uint64_t>(&request);
  const uint64_t out = call.arg[request_argument + 1];
  inner.arg[request_argument + 1] = out != 0 ? reinterpret_cast<uint64_t>(&remaining) : 0;
  const int64_t result = run_natively(inner);
  if (result == -EINTR && out != 0 && !absolute)
    if (const int64_t error = write_program(out, remaining); error != 0) return error;
  return result;
}

int64_t nanosleep_in_vessel(Call& call) { return sleep_in_vessel(call, 0, false); }

int64_t clock_nanosleep_in_vessel(Call& call) {
  const int32_t clock = static_cast<int32_t>(call.arg[0]);
  if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) return delegate(call);
  const bool absolute = (call.arg[1] & TIMER_ABSTIME) != 0;
  if (absolute && is_origin_clock(clock)) return delegate(call);
  return sleep_in_vessel(call, 2, absolute);
}

constexpr CallClass kLocal = CallClass::kLocal;
constexpr CallRule kRules[] = {
    {__NR_clock_gettime, kLocal, 0, 0, clock_gettime_at_origin, clock_in_vessel},
    {__NR_clock_getres, kLocal, 0, 0, nullptr, clock_in_vessel},
    {__NR_gettimeofday, kLocal, 0, 0, nullptr, gettimeofday_in_vessel},
    {__NR_time, kLocal, 0, 0, nullptr, time_in_vessel},
    {__NR_nanosleep, kLocal, kMayBlock, 0, nullptr, nanosleep_in_vessel},
    {__NR_clock_nanosleep, kLocal, kMayBlock, 0, nullptr, clock_nanosleep_in_vessel},
    {__NR_getrusage, CallClass::kDelegated, 0, 0, getrusage_at_origin, getrusage_in_vessel},
    {__NR_times, CallClass::kDelegated, 0, 0, times_at_origin, nullptr},
    {__NR_sched_yield, kLocal, 0, 0, nullptr, nullptr},
};

}  // namespace

CallRules time_call_rules() { return rules_of(kRules); }

}  // namespace dsm::runtime
