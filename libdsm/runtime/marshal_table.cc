// SPDX-License-Identifier: Apache-2.0
// Which calls are marshalled. Only calls that are hot, or whose pages would bounce, need an entry: every other call works
// with its pointers.
#include <linux/futex.h>

#include "libdsm/runtime/marshal.h"
#include "libdsm/runtime/sys.h"

namespace dsm::runtime {
namespace {

constexpr PointerRule in_string(uint8_t index) { return {index, Direction::kIn, Extent::kString, 1, 0, false}; }
constexpr PointerRule in_fixed(uint8_t index, uint16_t bytes) {
  return {index, Direction::kIn, Extent::kFixed, 1, bytes, false};
}
constexpr PointerRule out_fixed(uint8_t index, uint16_t bytes) {
  return {index, Direction::kOut, Extent::kFixed, 1, bytes, false};
}
constexpr PointerRule in_counted(uint8_t index, uint8_t count_index, uint8_t scale = 1) {
  return {index, Direction::kIn, Extent::kArgument, scale, count_index, false};
}
constexpr PointerRule out_counted(uint8_t index, uint8_t count_index, uint8_t scale = 1) {
  return {index, Direction::kOut, Extent::kArgument, scale, count_index, true};
}
constexpr PointerRule in_out_counted(uint8_t index, uint8_t count_index, uint8_t scale) {
  return {index, Direction::kInOut, Extent::kArgument, scale, count_index, false};
}

constexpr uint16_t kStatBytes = 144, kRusageBytes = 144, kTimespecBytes = 16, kSigactionBytes = 32, kSigInfoBytes = 128,
                   kUtsnameBytes = 390, kSysinfoBytes = 112, kRlimitBytes = 16, kEpollEventBytes = 12, kPollFdBytes = 8,
                   kStatxBytes = 256;

constexpr MarshalRule kRules[] = {
    {__NR_read, {out_counted(1, 2)}},
    {__NR_pread64, {out_counted(1, 2)}},
    {__NR_write, {in_counted(1, 2)}},
    {__NR_pwrite64, {in_counted(1, 2)}},
    {__NR_open, {in_string(0)}},
    {__NR_openat, {in_string(1)}},
    {__NR_access, {in_string(0)}},
    {__NR_faccessat, {in_string(1)}},
    {__NR_stat, {in_string(0), out_fixed(1, kStatBytes)}},
    {__NR_lstat, {in_string(0), out_fixed(1, kStatBytes)}},
    {__NR_fstat, {out_fixed(1, kStatBytes)}},
    {__NR_newfstatat, {in_string(1), out_fixed(2, kStatBytes)}},
    {__NR_statx, {in_string(1), out_fixed(4, kStatxBytes)}},
    {__NR_readlink, {in_string(0), out_counted(1, 2)}},
    {__NR_readlinkat, {in_string(1), out_counted(2, 3)}},
    {__NR_unlink, {in_string(0)}},
    {__NR_unlinkat, {in_string(1)}},
    {__NR_mkdir, {in_string(0)}},
    {__NR_rename, {in_string(0), in_string(1)}},
    {__NR_getcwd, {out_counted(0, 1)}},
    {__NR_chdir, {in_string(0)}},
    {__NR_getdents64, {out_counted(1, 2)}},
    {__NR_pipe, {out_fixed(0, 8)}},
    {__NR_pipe2, {out_fixed(0, 8)}},
    {__NR_poll, {in_out_counted(0, 1, kPollFdBytes)}},
    {__NR_epoll_wait, {out_counted(1, 2, kEpollEventBytes)}},
    {__NR_epoll_ctl, {in_fixed(3, kEpollEventBytes)}},
    {__NR_getrusage, {out_fixed(1, kRusageBytes)}},
    {__NR_times, {out_fixed(0, 32)}},
    {__NR_uname, {out_fixed(0, kUtsnameBytes)}},
    {__NR_sysinfo, {out_fixed(0, kSysinfoBytes)}},
    {__NR_prlimit64, {in_fixed(2, kRlimitBytes), out_fixed(3, kRlimitBytes)}},
    {__NR_getrlimit, {out_fixed(1, kRlimitBytes)}},
    {__NR_sched_getaffinity, {out_counted(2, 1)}},
    {__NR_rt_sigaction, {in_fixed(1, kSigactionBytes), out_fixed(2, kSigactionBytes)}},
    {__NR_rt_sigtimedwait, {in_fixed(0, 8), out_fixed(1, kSigInfoBytes), in_fixed(2, kTimespecBytes)}},
    {__NR_rt_sigsuspend, {in_fixed(0, 8)}},
    {__NR_rt_sigpending, {out_fixed(0, 8)}},
    {__NR_clock_gettime, {out_fixed(1, kTimespecBytes)}},
    {__NR_timer_create, {in_fixed(1, 64), out_fixed(2, 4)}},
    {__NR_timer_settime, {in_fixed(2, 32), out_fixed(3, 32)}},
    {__NR_setitimer, {in_fixed(1, 32), out_fixed(2, 32)}},
};

// Only a wait has a time limit in its fourth argument; for the others it is a number.
constexpr MarshalRule kTimedFutex = {__NR_futex, {in_fixed(3, kTimespecBytes)}};

bool is_timed_futex(const Call& call) {
  switch (call.arg[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI:
      return call.arg[3] != 0;
    default:
      return false;
  }
}

}  // namespace

const MarshalRule* marshal_rule(const Call& call) {
  if (call.number == __NR_futex) return is_timed_futex(call) ? &kTimedFutex : nullptr;
  for (const MarshalRule& rule : kRules)
    if (rule.number == call.number) return &rule;
  return nullptr;
}

}  // namespace dsm::runtime
