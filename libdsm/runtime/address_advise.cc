// SPDX-License-Identifier: Apache-2.0
// madvise. Only advice that changes content is carried out: DONTNEED and REMOVE. What would fail in a way that programs expect
// is refused, the rest is accepted and has no effect.
#include <asm-generic/errno.h>
#include <linux/mman.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr int64_t kDontNeedLocked = 24;

}  // namespace

bool is_advice_without_effect(int64_t advice) {
  switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_FREE:
    case MADV_DOFORK:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_KEEPONFORK:
    case MADV_COLD:
    case MADV_PAGEOUT:
      return true;
    default:
      return false;
  }
}

int64_t AddressSpace::advise(uint64_t address, uint64_t length, int64_t advice) {
  if ((address & (abi::kPageSize - 1)) != 0 || length > abi::kUserEnd) return -EINVAL;
  const bool drops = advice == MADV_DONTNEED || advice == kDontNeedLocked || advice == MADV_REMOVE;
  if (!drops && !is_advice_without_effect(advice)) return -EINVAL;
  if (length == 0) return 0;
  const uint64_t end = address + page_up(length);
  if (!is_program_range(address, page_up(length))) return -ENOMEM;

  LockGuard guard(lock_);
  bool hole = false;
  uint64_t at = address;
  for (size_t i = map_.first_after(at); at < end && i < map_.size() && map_.at(i).start < end; i = map_.first_after(at)) {
    const Range range = map_.at(i);
    if (range.start > at) hole = true;
    const uint64_t from = range.start > at ? range.start : at;
    at = range.end < end ? range.end : end;
    if (drops)
      if (const int64_t error = discard(range, from, at, advice); error != 0) return error;
  }
  return hole || at < end ? -ENOMEM : 0;
}

int64_t AddressSpace::discard(const Range& range, uint64_t start, uint64_t end, int64_t advice) {
  if (range.kind != abi::MapKind::kPrivate)
    return sys(__NR_madvise, start, end - start, advice);
  // Shared anonymous memory keeps its content on DONTNEED, and only it can be REMOVEd.
  const bool shared = (range.flags & kRangeShared) != 0;
  if (shared != (advice == MADV_REMOVE)) return shared ? 0 : -EINVAL;
  if (const int64_t error = agent_range(abi::Op::kMapDrop, start, end - start); error != 0) return error;
  if (range.file == nullptr) return 0;
  // A private file mapping shows the file again.
  if ((range.prot & PROT_WRITE) == 0)
    if (const int64_t error = native_protect(start, end, PROT_READ | PROT_WRITE); error != 0) return error;
  fill_from_file(start, end, *range.file, range.offset_of(start));
  return (range.prot & PROT_WRITE) == 0 ? native_protect(start, end, range.prot) : 0;
}

}  // namespace dsm::runtime
