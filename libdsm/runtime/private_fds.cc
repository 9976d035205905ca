// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/private_fds.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>
#include <linux/resource.h>

#include "libdsm/runtime/runtime_log.h"

namespace dsm::runtime {
namespace {

struct Limit {
  uint64_t soft, hard;
};
// Above what programs use by default, below what makes the kernel's file table (and its copy at fork) large.
constexpr uint64_t kPreferredBase = 20000;

// fcntl(F_DUPFD_CLOEXEC) obeys the soft limit, which is the program's own: lift it for the moment of the call.
int64_t duplicate_from(int fd, int64_t base) {
  Limit limit = {};
  RT_MUST(sys(__NR_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit));
  const Limit lifted = {limit.hard, limit.hard};
  const bool lift = limit.soft < limit.hard;
  if (lift) RT_MUST(sys(__NR_prlimit64, 0, RLIMIT_NOFILE, &lifted, nullptr));
  const int64_t result = sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, base);
  if (lift) RT_MUST(sys(__NR_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr));
  return result;
}

}  // namespace

void PrivateFds::initialise() {
  Limit limit = {};
  RT_MUST(sys(__NR_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit));
  if (limit.hard < kLeastHardLimit)
    fail("the hard limit of open files is %d; at least %d are needed (raise it: ulimit -Hn 4096)", limit.hard, kLeastHardLimit);
  base_ = static_cast<int64_t>(limit.hard >= 2 * kPreferredBase ? kPreferredBase : limit.hard / 2);
}

int64_t PrivateFds::duplicate(int fd) {
  LockGuard guard(lock_);
  const int64_t result = duplicate_from(fd, base_);
  if (is_error(result)) return result;
  if (result >= base_ + kCapacity) {
    sys(__NR_close, result);
    return -EMFILE;
  }
  __atomic_or_fetch(&used_[(result - base_) / 64], 1ull << ((result - base_) % 64), __ATOMIC_RELAXED);
  return result;
}

int PrivateFds::adopt(int fd) {
  const int64_t result = duplicate(fd);
  if (is_error(result)) fail("no descriptor number is left for the runtime's own use (error %d)", -result);
  sys(__NR_close, fd);
  return static_cast<int>(result);
}

void PrivateFds::close(int fd) {
  LockGuard guard(lock_);
  RT_CHECK(is_private(fd));
  // The kernel's close first: while the bit is set no call of the program can reach the number.
  sys(__NR_close, fd);
  __atomic_and_fetch(&used_[(fd - base_) / 64], ~(1ull << ((fd - base_) % 64)), __ATOMIC_RELAXED);
}

int64_t PrivateFds::next_private(int64_t fd) const {
  for (int64_t i = fd < base_ ? 0 : fd - base_; i < kCapacity; i++) {
    const uint64_t rest = __atomic_load_n(&used_[i / 64], __ATOMIC_RELAXED) >> (i % 64);
    if (rest != 0) return base_ + i + __builtin_ctzll(rest);
    i |= 63;
  }
  return -1;
}

void PrivateFds::close_all_but(int kept) {
  for (int64_t fd = next_private(0); fd >= 0; fd = next_private(fd + 1)) {
    if (fd == kept) continue;
    sys(__NR_close, fd);
    __atomic_and_fetch(&used_[(fd - base_) / 64], ~(1ull << ((fd - base_) % 64)), __ATOMIC_RELAXED);
  }
}

}  // namespace dsm::runtime
