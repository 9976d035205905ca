// SPDX-License-Identifier: Apache-2.0
// mremap. Program memory lies at the offset of its address in the memory file, so it cannot be moved by the kernel: it grows
// in place, or is copied. Native ranges (read-only files, pinned) are moved by the kernel to a place of our choice.
#include <asm-generic/errno.h>
#include <linux/mman.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

bool is_zero_page(uint64_t address) {
  const auto* word = reinterpret_cast<const uint64_t*>(address);
  for (size_t i = 0; i < abi::kPageSize / sizeof *word; i++)
    if (word[i] != 0) return false;
  return true;
}

// Pages of zeros are left absent at the target, which costs the reading but not the memory.
void copy_pages(uint64_t to, uint64_t from, uint64_t bytes) {
  for (uint64_t done = 0; done < bytes; done += abi::kPageSize)
    if (!is_zero_page(from + done))
      memcpy(reinterpret_cast<void*>(to + done), reinterpret_cast<const void*>(from + done), abi::kPageSize);
}

}  // namespace

int64_t AddressSpace::remap(uint64_t old_address, uint64_t old_length, uint64_t new_length, uint64_t flags,
                            uint64_t new_address) {
  const bool may_move = (flags & MREMAP_MAYMOVE) != 0, fixed = (flags & MREMAP_FIXED) != 0;
  const bool keep_old = (flags & MREMAP_DONTUNMAP) != 0;
  if ((flags & ~uint64_t{MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP}) != 0) return -EINVAL;
  if ((old_address & (abi::kPageSize - 1)) != 0 || new_length == 0 || new_length > abi::kUserEnd) return -EINVAL;
  if ((fixed || keep_old) && !may_move) return -EINVAL;
  if (old_length > abi::kUserEnd) return -EINVAL;
  old_length = page_up(old_length);
  new_length = page_up(new_length);
  if (keep_old && old_length != new_length) return -EINVAL;
  if (!is_program_range(old_address, old_length)) return -EFAULT;

  LockGuard guard(lock_);
  const Range* found = map_.find(old_address);
  if (found == nullptr || (found->flags & kRangeRuntime) != 0 || found->end < old_address + old_length) return -EFAULT;
  const Range range = *found;
  // A second mapping of the same memory: only what is shared can be mapped twice.
  if (old_length == 0 && (range.kind != abi::MapKind::kPinned || !may_move)) return -EINVAL;
  if (new_length > old_length && old_length > 0) {
    const uint64_t more = new_length - old_length;
    if ((range.flags & kRangeLocked) != 0 && check_lock(more) != 0) return -EAGAIN;
    if (range.kind == abi::MapKind::kPrivate)
      if (const int64_t error = check_growth(more, range.prot, range.flags); error != 0) return error;
  }

  uint64_t target = 0;
  if (fixed) {
    target = new_address;
    if ((target & (abi::kPageSize - 1)) != 0 || target < abi::kUserBegin || !is_program_range(target, new_length)) return -EINVAL;
    if (target < old_address + old_length && old_address < target + new_length) return -EINVAL;
    if (const int64_t error = clear(target, target + new_length); error != 0) return error;
  } else if (!keep_old) {
    if (new_length < old_length)
      if (const int64_t error = clear(old_address + new_length, old_address + old_length); error != 0) return error;
    if (new_length <= old_length) return static_cast<int64_t>(old_address);
    const uint64_t old_end = old_address + old_length, new_end = old_address + new_length;
    if (old_length != 0 && range.end == old_end && is_program_range(old_address, new_length) && map_.is_free(old_end, new_end)) {
      const int64_t result = grow_in_place(range, old_end, new_end);
      if (result == 0) return static_cast<int64_t>(old_address);
    }
    if (!may_move) return -ENOMEM;
  }
  if (target == 0) {
    const int64_t place = choose(0, new_length, 0);
    if (is_error(place)) return place;
    target = static_cast<uint64_t>(place);
  }
  if (old_length == 0) {
    const int64_t error = duplicate_native(range, old_address, new_length, target);
    return error == 0 ? static_cast<int64_t>(target) : error;
  }
  const uint64_t moved = old_length < new_length ? old_length : new_length;
  const int64_t result = range.kind == abi::MapKind::kPrivate
                             ? move_private(range, old_address, moved, target, new_length, keep_old)
                             : keep_old ? -EINVAL : move_native(range, old_address, moved, target, new_length);
  if (result != 0) return result;
  if (moved < old_length)   // a fixed move that also shrinks
    if (const int64_t error = clear(old_address + moved, old_address + old_length); error != 0) return error;
  return static_cast<int64_t>(target);
}

int64_t AddressSpace::grow_in_place(const Range& range, uint64_t old_end, uint64_t new_end) {
  files_.retain(range.file);
  const NewMapping more = {old_end, new_end, range.prot, MAP_PRIVATE, -1, range.file != nullptr ? range.offset_of(old_end) : 0};
  if (range.kind == abi::MapKind::kPrivate && range.file != nullptr) return add_file_copy(more, range.flags, range.file);
  if (range.kind == abi::MapKind::kPrivate) return add_private(more, range.flags, nullptr);
  if (range.kind == abi::MapKind::kFileRead) return add_file_read(more, range.file);
  // Pinned: the kernel knows what lies behind it.
  const int64_t result = sys(__NR_mremap, range.start, range.bytes(), new_end - range.start, 0, 0);
  if (is_error(result)) return result;
  if (const int64_t error = agent_map_add({old_end, new_end - old_end, range.prot, range.kind, 0, 0}, -1); error != 0) return error;
  return note({old_end, new_end, range.kind, range.prot, range.flags, 0, nullptr, 0});
}

int64_t AddressSpace::move_private(const Range& range, uint64_t old_start, uint64_t old_length, uint64_t new_start,
                                   uint64_t new_length, bool keep_old) {
  // The copy goes through the mappings, so that pages which live on other nodes are fetched.
  const uint32_t readable = PROT_READ | PROT_WRITE;
  const NewMapping target = {new_start, new_start + new_length, readable, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0};
  if (const int64_t error = add_private(target, range.flags, nullptr); error != 0) return error;
  if ((range.prot & PROT_READ) == 0) {
    agent_map_protect(old_start, old_length, PROT_READ);
    RT_MUST(native_protect(old_start, old_start + old_length, PROT_READ));
  }
  copy_pages(new_start, old_start, old_length);
  if (range.file != nullptr && new_length > old_length)
    fill_from_file(new_start + old_length, new_start + new_length, *range.file, range.offset_of(old_start) + old_length);
  if (range.prot != readable)
    if (const int64_t error = protect_piece(*map_.find(new_start), new_start, new_start + new_length, range.prot); error != 0)
      return error;
  if (!keep_old) return clear(old_start, old_start + old_length);
  if ((range.prot & PROT_READ) == 0) {
    RT_MUST(native_protect(old_start, old_start + old_length, range.prot));
    agent_map_protect(old_start, old_length, range.prot);
  }
  return agent_range(abi::Op::kMapDrop, old_start, old_length);
}

// The kernel refuses what is not shared.
int64_t AddressSpace::duplicate_native(const Range& range, uint64_t old_start, uint64_t length, uint64_t new_start) {
  const int64_t result = sys(__NR_mremap, old_start, 0, length, MREMAP_MAYMOVE | MREMAP_FIXED, new_start);
  if (is_error(result)) return result;
  const Range twin = {new_start, new_start + length, range.kind, range.prot, range.flags, 0, nullptr, 0};
  if (const int64_t error = agent_map_add({twin.start, length, twin.prot, twin.kind, 0, 0}, -1); error != 0) {
    sys(__NR_munmap, new_start, length);
    return error;
  }
  return note(twin);
}

int64_t AddressSpace::move_native(const Range& range, uint64_t old_start, uint64_t old_length, uint64_t new_start,
                                  uint64_t new_length) {
  const int64_t result =
      sys(__NR_mremap, old_start, old_length, new_length, MREMAP_MAYMOVE | MREMAP_FIXED, new_start);
  if (is_error(result)) return result;
  if (const int64_t error = agent_range(abi::Op::kMapRemove, old_start, old_length); error != 0) return error;
  Range moved = range;
  moved.offset = range.offset_of(old_start);
  moved.start = new_start;
  moved.end = new_start + new_length;
  files_.retain(moved.file);
  if (!map_.erase(old_start, old_start + old_length, files_)) return -ENOMEM;
  const uint64_t behind = moved.file != nullptr ? file_bytes_behind(*moved.file, moved.offset, moved.bytes()) : 0;
  const int64_t error = agent_map_add({moved.start, moved.bytes(), moved.prot, moved.kind, moved.offset, behind},
                                      moved.file != nullptr ? moved.file->fd : -1);
  if (error != 0) return error;
  return note(moved);
}

}  // namespace dsm::runtime
