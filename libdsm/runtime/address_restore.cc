// SPDX-License-Identifier: Apache-2.0
// A new process takes on the address map of a process image. The pages are in the memfd already: the agent takes such a range for
// blocks that are native at the origin and have content, as after a first touch.
//
// Context: the only thread of the process, before the program's threads exist.
#include <asm-generic/errno.h>
#include <linux/mman.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/process_image.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {

void AddressSpace::describe_layout(uint64_t& top, uint64_t& break_start, uint64_t& break_now, uint32_t& lock_future) const {
  top = top_;
  break_start = break_start_;
  break_now = break_now_;
  lock_future = lock_future_ ? 1 : 0;
}

void AddressSpace::restore_layout(uint64_t top, uint64_t break_start, uint64_t break_now, bool lock_future) {
  top_ = top;
  break_start_ = break_start;
  break_now_ = break_now;
  lock_future_ = lock_future;
}

int64_t AddressSpace::restore_private(const image::Range& from, int file_fd, const uint8_t* content) {
  int64_t error = 0;
  FileReference* const file = file_fd >= 0 ? files_.acquire(file_fd, &error) : nullptr;
  if (error != 0) return error;
  const Range range = {from.start, from.end, abi::MapKind::kPrivate, from.prot, from.flags, 0, file, file != nullptr ? from.offset : 0};
  int64_t result = map_memory_file(range.start, range.end);
  if (!is_error(result)) result = agent_map_add({range.start, range.bytes(), range.prot, range.kind, range.offset, 0}, -1);
  if (result == 0 && content != nullptr) {
    result = native_protect(range.start, range.end, PROT_READ | PROT_WRITE);
    if (result == 0 && dsm_user_copy(reinterpret_cast<void*>(range.start), content, from.content.bytes) != 0) result = -EFAULT;
  }
  if (result == 0 && (range.prot != 0 || content != nullptr)) result = native_protect(range.start, range.end, range.prot);
  if (result == 0) return note(range);
  files_.release(file);
  return result;
}

int64_t AddressSpace::restore_file_read(const image::Range& from, int file_fd) {
  int64_t error = 0;
  FileReference* const file = files_.acquire(file_fd, &error);
  if (file == nullptr) return error;
  const NewMapping mapping = {from.start, from.end, from.prot, MAP_PRIVATE, file_fd, from.offset};
  error = add_file_read(mapping, file);
  if (error != 0 || from.flags == 0) return error;
  return map_.set_flags(from.start, from.end, from.flags, 0, files_) ? 0 : -ENOMEM;
}

int64_t AddressSpace::restore_pinned(const image::Range& from, int file_fd, const uint8_t* content) {
  const uint64_t sharing = from.is_private != 0 ? MAP_PRIVATE : MAP_SHARED;
  const uint64_t flags = file_fd >= 0 ? sharing : sharing | MAP_ANONYMOUS | MAP_NORESERVE;
  const uint32_t prot = from.source == image::RangeSource::kReserved ? 0 : from.prot;
  const uint32_t first = content != nullptr ? PROT_READ | PROT_WRITE : prot;
  const NewMapping mapping = {from.start, from.end, first, flags, file_fd, from.offset};
  if (const int64_t error = add_pinned(mapping); error != 0) return error;
  if (content != nullptr) {
    if (dsm_user_copy(reinterpret_cast<void*>(from.start), content, from.content.bytes) != 0) return -EFAULT;
    if (const int64_t error = protect_piece(*map_.find(from.start), from.start, from.end, prot); error != 0) return error;
  }
  if (from.flags == 0) return 0;
  return map_.set_flags(from.start, from.end, from.flags, 0, files_) ? 0 : -ENOMEM;
}

}  // namespace dsm::runtime
