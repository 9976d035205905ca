// SPDX-License-Identifier: Apache-2.0
// madvise. Carried out: what changes content (DONTNEED, REMOVE), what a forked child gets (DONTFORK, WIPEONFORK), what a core
// dump holds. POPULATE is only checked here: the pages are touched where the thread is, by the caller. The rest is
// accepted and has no effect. Ranges that are the kernel's own get the advice natively.
#include <asm-generic/errno.h>
#include <asm/stat.h>
#include <linux/mman.h>
#include <linux/stat.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr int64_t kDontNeedLocked = 24;

bool is_known_advice(int64_t advice) {
  switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case kDontNeedLocked:
    case MADV_FREE:
    case MADV_REMOVE:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
      return true;
    default:
      return false;
  }
}

// The kernel's refusals for memory of our own.
bool is_refused(const Range& range, int64_t advice) {
  const bool locked = (range.flags & kRangeLocked) != 0, shared = (range.flags & kRangeShared) != 0;
  switch (advice) {
    case MADV_DONTNEED:
    case MADV_COLD:
    case MADV_PAGEOUT:
      return locked;
    case MADV_FREE:
      return locked || shared || range.file != nullptr;
    case MADV_REMOVE:
      return locked || !shared;
    case MADV_WIPEONFORK:
      return shared || range.file != nullptr;
    case MADV_POPULATE_READ:
      return range.prot == 0;
    case MADV_POPULATE_WRITE:
      return (range.prot & PROT_WRITE) == 0;
    default:
      return false;
  }
}

struct FlagChange {
  uint32_t set, clear;
};
FlagChange flag_change(int64_t advice) {
  switch (advice) {
    case MADV_DONTFORK: return {kRangeNotForked, 0};
    case MADV_DOFORK: return {0, kRangeNotForked};
    case MADV_WIPEONFORK: return {kRangeWiped, 0};
    case MADV_KEEPONFORK: return {0, kRangeWiped};
    default: return {0, 0};
  }
}

}  // namespace

int64_t AddressSpace::advise(uint64_t address, uint64_t length, int64_t advice) {
  if (!is_known_advice(advice) || (address & (abi::kPageSize - 1)) != 0) return -EINVAL;
  const uint64_t bytes = page_up(length), end = address + bytes;
  if ((length != 0 && bytes == 0) || end < address) return -EINVAL;
  if (length == 0) return 0;
  // What exceeds the program's part of the address space is a hole like any other.
  LockGuard guard(lock_);
  bool hole = false;
  uint64_t at = address;
  for (size_t i = map_.first_after(at); at < end && i < map_.size() && map_.at(i).start < end; i = map_.first_after(at)) {
    const Range range = map_.at(i);
    if (range.start > at) hole = true;
    if (hole && (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)) return -ENOMEM;
    const uint64_t from = range.start > at ? range.start : at;
    at = range.end < end ? range.end : end;
    if ((range.flags & kRangeRuntime) != 0)
      hole = true;
    else if (const int64_t error = advise_piece(range, from, at, advice); error != 0)
      return error;
  }
  return hole || at < end ? -ENOMEM : 0;
}

int64_t AddressSpace::advise_piece(const Range& range, uint64_t start, uint64_t end, int64_t advice) {
  const bool is_ours = range.kind == abi::MapKind::kPrivate;
  if (is_ours && is_refused(range, advice)) return -EINVAL;
  if (!is_ours || advice == MADV_DONTDUMP || advice == MADV_DODUMP)
    if (const int64_t error = sys(__NR_madvise, start, end - start, advice); error != 0) return error;
  const FlagChange change = flag_change(advice);
  if ((change.set | change.clear) != 0 && !map_.set_flags(start, end, change.set, change.clear, files_)) return -ENOMEM;
  const bool drops = advice == MADV_DONTNEED || advice == kDontNeedLocked || advice == MADV_REMOVE;
  return is_ours && drops ? discard(range, start, end, advice) : 0;
}

void AddressSpace::file_resized(int64_t fd) {
  struct stat status;
  if (sys(__NR_fstat, fd, &status) != 0 || (status.st_mode & S_IFMT) != S_IFREG) return;
  LockGuard guard(lock_);
  const FileReference* file = files_.find(status.st_dev, status.st_ino);
  if (file == nullptr) return;
  for (size_t i = 0; i < map_.size(); i++) {
    const Range& range = map_.at(i);
    if (range.file == file && range.kind == abi::MapKind::kFileRead)
      agent_range(abi::Op::kMapDrop, range.start, range.bytes());
  }
}

int64_t AddressSpace::discard(const Range& range, uint64_t start, uint64_t end, int64_t advice) {
  // Shared anonymous memory keeps its content on DONTNEED, and only it can be REMOVEd.
  if ((range.flags & kRangeShared) != 0 && advice != MADV_REMOVE) return 0;
  if (const int64_t error = agent_range(abi::Op::kMapDrop, start, end - start); error != 0) return error;
  if (range.file == nullptr) return 0;
  // A private file mapping shows the file again.
  if ((range.prot & PROT_WRITE) == 0)
    if (const int64_t error = native_protect(start, end, PROT_READ | PROT_WRITE); error != 0) return error;
  fill_from_file(start, end, *range.file, range.offset_of(start));
  return (range.prot & PROT_WRITE) == 0 ? native_protect(start, end, range.prot) : 0;
}

}  // namespace dsm::runtime
