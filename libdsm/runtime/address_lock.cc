// SPDX-License-Identifier: Apache-2.0
// mlock and its relatives: which ranges count as locked, and whether the limit allows it. Nothing is pinned: where a page lives is not
// the program's to say, and no page of ours is ever written to a disk.
#include <asm-generic/errno.h>
#include <linux/capability.h>
#include <linux/mman.h>
#include <linux/resource.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/kernel_limits.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

struct LockLimit {
  uint64_t bytes;
  bool none;      // this process may lock all it wants
};

LockLimit lock_limit() {
  const uint64_t bytes = resource_limit(RLIMIT_MEMLOCK).soft;
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  sys(__NR_capget, &header, sets);
  return {bytes, bytes == kNoLimit || (sets[0].effective & (1u << CAP_IPC_LOCK)) != 0};
}

bool is_locked(const Range& range) { return (range.flags & kRangeLocked) != 0; }
bool is_any(const Range&) { return true; }

}  // namespace

// May `bytes` more be locked? 0, -EPERM (nothing may) or -ENOMEM.
int64_t AddressSpace::check_lock(uint64_t bytes) const {
  const LockLimit limit = lock_limit();
  if (limit.none) return 0;
  if (limit.bytes == 0) return -EPERM;
  return bytes_where(abi::kUserBegin, abi::kUserEnd, is_locked) + bytes > limit.bytes ? -ENOMEM : 0;
}

// Up to the first hole, as the kernel does it.
int64_t AddressSpace::change_lock(uint64_t start, uint64_t end, uint32_t set, uint32_t clear) {
  uint64_t at = start;
  while (at < end) {
    const Range* range = map_.find(at);
    if (range == nullptr || (range->flags & kRangeRuntime) != 0) break;
    at = range->end < end ? range->end : end;
  }
  if (at > start && !map_.set_flags(start, at, set, clear, files_)) return -ENOMEM;
  return at < end ? -ENOMEM : 0;
}

int64_t AddressSpace::lock_range(uint64_t address, uint64_t length) {
  const uint64_t start = page_down(address), end = page_up(address + length);
  LockGuard guard(lock_);
  const LockLimit limit = lock_limit();
  if (!limit.none && limit.bytes == 0) return -EPERM;
  if (end < start) return -EINVAL;
  if (start == end) return 0;
  if (check_lock(end - start - bytes_where(start, end, is_locked)) != 0) return -ENOMEM;
  return change_lock(start, end, kRangeLocked, 0);
}

int64_t AddressSpace::unlock_range(uint64_t address, uint64_t length) {
  const uint64_t start = page_down(address), end = page_up(address + length);
  if (end < start) return -EINVAL;
  LockGuard guard(lock_);
  return change_lock(start, end, 0, kRangeLocked);
}

int64_t AddressSpace::lock_all(uint64_t flags) {
  if (flags == 0 || (flags & ~uint64_t{MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT}) != 0 || flags == MCL_ONFAULT) return -EINVAL;
  LockGuard guard(lock_);
  const LockLimit limit = lock_limit();
  if (!limit.none && limit.bytes == 0) return -EPERM;
  const bool current = (flags & MCL_CURRENT) != 0;
  if (current && !limit.none && bytes_where(abi::kUserBegin, abi::kUserEnd, is_any) > limit.bytes) return -ENOMEM;
  lock_future_ = (flags & MCL_FUTURE) != 0;
  return current && !map_.set_flags(abi::kUserBegin, abi::kUserEnd, kRangeLocked, 0, files_) ? -ENOMEM : 0;
}

int64_t AddressSpace::unlock_all() {
  LockGuard guard(lock_);
  lock_future_ = false;
  return map_.set_flags(abi::kUserBegin, abi::kUserEnd, 0, kRangeLocked, files_) ? 0 : -ENOMEM;
}

}  // namespace dsm::runtime
