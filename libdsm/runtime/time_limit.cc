// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/time_limit.h"

#include <linux/futex.h>
#include <linux/time.h>

#include "libdsm/runtime/thread.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kNsInSecond = 1'000'000'000, kNsInMillisecond = 1'000'000;
constexpr uint64_t kLongestNs = ~uint64_t{0} / 4;   // longer ones are as good as none

uint64_t now_ns() {
  int64_t time[2] = {};
  sys(__NR_clock_gettime, CLOCK_MONOTONIC, time);
  return static_cast<uint64_t>(time[0]) * kNsInSecond + static_cast<uint64_t>(time[1]);
}

bool is_wall_sleep(const uint64_t arg[6]) {
  const auto clock = static_cast<int32_t>(arg[0]);
  return (arg[1] & TIMER_ABSTIME) == 0 && clock >= 0 && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID;
}

// Which argument points to a relative struct timespec; 0xff: none.
constexpr uint8_t kNone = 0xff;
uint8_t timespec_argument(const Call& call) {
  switch (call.number) {
    case __NR_nanosleep: return 0;
    case __NR_clock_nanosleep: return is_wall_sleep(call.arg) ? 2 : kNone;
    case __NR_rt_sigtimedwait: return 2;
    case __NR_semtimedop:
    case __NR_epoll_pwait2: return 3;
    case __NR_futex: return (call.arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT ? 3 : kNone;
    default: return kNone;
  }
}

uint8_t milliseconds_argument(const Call& call) {
  switch (call.number) {
    case __NR_poll: return 2;
    case __NR_epoll_wait:
    case __NR_epoll_pwait: return 3;
    default: return kNone;
  }
}

}  // namespace

TimeLimit::TimeLimit(const Call& call) {
  uint64_t limit_ns = 0;
  if (const uint8_t index = timespec_argument(call); index != kNone) {
    int64_t limit[2];
    if (call.arg[index] == 0 || read_program(limit, call.arg[index]) != 0) return;
    if (limit[0] < 0 || limit[1] < 0 || static_cast<uint64_t>(limit[0]) > kLongestNs / kNsInSecond) return;
    limit_ns = static_cast<uint64_t>(limit[0]) * kNsInSecond + static_cast<uint64_t>(limit[1]);
    unit_ = Unit::kTimespec;
    index_ = index;
  } else if (const uint8_t index_ms = milliseconds_argument(call); index_ms != kNone) {
    const auto limit = static_cast<int32_t>(call.arg[index_ms]);
    if (limit <= 0) return;
    limit_ns = static_cast<uint64_t>(limit) * kNsInMillisecond;
    unit_ = Unit::kMilliseconds;
    index_ = index_ms;
  } else {
    return;
  }
  ThreadSignals& signals = call.thread.signals;
  is_running_ = signals.again && signals.deadline_ns != 0;
  if (!is_running_) signals.deadline_ns = now_ns() + limit_ns;
  deadline_ns_ = signals.deadline_ns;
}

void TimeLimit::apply(uint64_t arg[6]) {
  if (unit_ == Unit::kNone) return;
  if (!is_running_) {
    is_running_ = true;
    return;
  }
  const uint64_t now = now_ns();
  const uint64_t left_ns = deadline_ns_ > now ? deadline_ns_ - now : 0;
  if (unit_ == Unit::kMilliseconds) {
    arg[index_] = (left_ns + kNsInMillisecond - 1) / kNsInMillisecond;   // never early
    return;
  }
  left_[0] = static_cast<int64_t>(left_ns / kNsInSecond);
  left_[1] = static_cast<int64_t>(left_ns % kNsInSecond);
  arg[index_] = reinterpret_cast<uint64_t>(left_);
}

uint64_t time_left_ns(const ThreadSignals& signals) {
  if (!signals.make_again || signals.deadline_ns == 0) return 0;
  const uint64_t now = now_ns();
  return signals.deadline_ns > now ? signals.deadline_ns - now : 1;
}

void resume_time_limit(ThreadSignals& signals, uint64_t left_ns) {
  signals.make_again = true;
  if (left_ns != 0) signals.deadline_ns = now_ns() + left_ns;
}

}  // namespace dsm::runtime
