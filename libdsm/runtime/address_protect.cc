// SPDX-License-Identifier: Apache-2.0
// mprotect. Rights that grow are told to the agent first and to the kernel then; rights that shrink the other way round, so that
// neither side ever allows what the program has already been told is gone, or refuses what it has been promised.
#include <asm-generic/errno.h>
#include <linux/mman.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {

int64_t AddressSpace::protect(uint64_t address, uint64_t length, uint64_t prot) {
  constexpr uint32_t kProtBits = PROT_READ | PROT_WRITE | PROT_EXEC;
  const uint64_t growth = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
  if ((address & (abi::kPageSize - 1)) != 0 || growth == (PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  if (length == 0) return 0;
  if ((prot & ~(kProtBits | growth)) != 0) return -EINVAL;
  if (length > abi::kUserEnd || !is_program_range(address, page_up(length))) return -ENOMEM;
  const uint64_t end = address + page_up(length);

  LockGuard guard(lock_);
  if (growth != 0) {   // from the lowest address of the stack that lies there; nothing grows upwards on this machine
    const Range* range = map_.find(address);
    if (range == nullptr) return -ENOMEM;
    if (growth == PROT_GROWSUP || (range->flags & kRangeGrowsDown) == 0) return -EINVAL;
    address = range->start;
  }
  // What lies before a hole changes, as the kernel does it.
  if (map_.find(address) == nullptr) return -ENOMEM;
  for (uint64_t at = address; at < end;) {
    const Range* found = map_.find(at);
    if (found == nullptr || (found->flags & kRangeRuntime) != 0) return -ENOMEM;
    const Range range = *found;
    const uint64_t piece_end = range.end < end ? range.end : end;
    if (range.prot != (prot & kProtBits))
      if (const int64_t error = protect_piece(range, at, piece_end, static_cast<uint32_t>(prot & kProtBits)); error != 0)
        return error;
    at = piece_end;
  }
  return 0;
}

int64_t AddressSpace::protect_piece(const Range& range, uint64_t start, uint64_t end, uint32_t prot) {
  if (range.kind == abi::MapKind::kFileRead && (prot & PROT_WRITE) != 0) return make_writable(range, start, end, prot);
  if ((prot & ~range.prot & PROT_WRITE) != 0 && range.kind == abi::MapKind::kPrivate)
    if (const int64_t error = check_growth(end - start, prot, range.flags); error != 0) return error;
  const bool shrinks = (range.prot & ~prot) != 0;
  if (shrinks)
    if (const int64_t error = native_protect(start, end, prot); error != 0) return error;
  if (const int64_t error = agent_map_protect(start, end - start, prot); error != 0) return error;
  if (!shrinks)
    if (const int64_t error = native_protect(start, end, prot); error != 0) {
      agent_map_protect(start, end - start, range.prot);
      return error;
    }
  return map_.set_prot(start, end, prot, files_) ? 0 : -ENOMEM;
}

// A part of a native read-only file mapping is to be written: it becomes memory of its own, filled with what the file holds.
int64_t AddressSpace::make_writable(const Range& range, uint64_t start, uint64_t end, uint32_t prot) {
  const NewMapping mapping = {start, end, prot, MAP_PRIVATE, -1, range.offset_of(start)};
  FileReference* file = range.file;
  files_.retain(file);   // for the new range; the old one's reference goes with clear()
  int64_t error = check_growth(end - start, prot, range.flags);
  const uint32_t flags = range.flags;   // clear() takes the range away
  if (error == 0) error = clear(start, end);
  if (error != 0) {
    files_.release(file);
    return error;
  }
  return add_file_copy(mapping, flags, file);
}

}  // namespace dsm::runtime
