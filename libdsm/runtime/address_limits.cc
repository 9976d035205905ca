// SPDX-License-Identifier: Apache-2.0
// What a program may map at all: RLIMIT_DATA, memory beyond what the nodes have together, and stacks that grow. The kernel
// cannot say so itself, because it sees one shared, unreserved mapping of a file. (RLIMIT_AS it does say.)
#include <asm-generic/errno.h>
#include <linux/mman.h>
#include <linux/resource.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/kernel_limits.h"
#include "libdsm/runtime/proc_paths.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

// Smaller requests are never refused for their size alone, so most calls ask nobody.
constexpr uint64_t kLeastChecked = 64 << 20;
constexpr uint64_t kStackGap = 256 * abi::kPageSize;   // the kernel's stack_guard_gap

bool counts_as_data(uint32_t prot, uint32_t range_flags) {
  return (prot & PROT_WRITE) != 0 && (range_flags & (kRangeShared | kRangeGrowsDown)) == 0;
}

bool is_reserved(uint32_t prot, uint32_t range_flags) {
  return (range_flags & kRangeNoReserve) == 0 && ((prot & PROT_WRITE) != 0 || (range_flags & kRangeShared) != 0);
}

// vm.overcommit_memory: 0 is the heuristic, 1 means that everything is granted.
bool everything_is_granted() { return first_byte_of("/proc/sys/vm/overcommit_memory") == '1'; }

// Memory and swap of this machine times the machines: they are assumed alike, as sysinfo says it.
uint64_t memory_of_all_nodes() {
  KernelSysinfo info = {};
  if (sys(__NR_sysinfo, &info) != 0) return ~uint64_t{0};
  return (info.total_ram + info.total_swap) * info.unit * process().welcome.hosts;
}

}  // namespace

// `bytes` more of memory of our own with these rights: 0 or -ENOMEM. The heuristic refuses only what could never be held,
// as the kernel's does; its strict mode (2) is taken for the heuristic.
int64_t AddressSpace::check_growth(uint64_t bytes, uint32_t prot, uint32_t range_flags) const {
  if (bytes >= kLeastChecked && is_reserved(prot, range_flags) && bytes > memory_of_all_nodes() && !everything_is_granted())
    return -ENOMEM;
  if (!counts_as_data(prot, range_flags)) return 0;
  const uint64_t limit = resource_limit(RLIMIT_DATA).soft;
  if (limit == kNoLimit) return 0;
  const uint64_t used = bytes_where(abi::kUserBegin, abi::kUserEnd, [](const Range& range) {
    return range.kind == abi::MapKind::kPrivate && counts_as_data(range.prot, range.flags);
  });
  return used + bytes > limit ? -ENOMEM : 0;
}

bool AddressSpace::grow_stack(uint64_t address) {
  if (!is_program_range(address, 1)) return false;
  const uint64_t start = page_down(address);
  LockGuard guard(lock_);
  if (const Range* there = map_.find(start)) return (there->flags & kRangeGrowsDown) != 0;   // another thread was quicker
  const size_t above = map_.first_after(start);
  if (above == map_.size() || (map_.at(above).flags & kRangeGrowsDown) == 0) return false;
  const Range stack = map_.at(above);
  if (stack.end - start > resource_limit(RLIMIT_STACK).soft) return false;
  if (above > 0) {
    const Range& below = map_.at(above - 1);
    const bool may_be_close = below.prot == 0 || (below.flags & kRangeGrowsDown) != 0;
    if (!may_be_close && start - below.end < kStackGap) return false;
  }
  const uint64_t more = stack.start - start;
  if (check_growth(more, stack.prot, stack.flags) != 0) return false;
  if ((stack.flags & kRangeLocked) != 0 && check_lock(more) != 0) return false;
  return add_private({start, stack.start, stack.prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, stack.flags, nullptr) == 0;
}

}  // namespace dsm::runtime
