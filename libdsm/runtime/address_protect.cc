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
  constexpr uint64_t kGrowth = PROT_GROWSDOWN | PROT_GROWSUP;   // our stacks do not grow; they are whole from the start
  if ((address & (abi::kPageSize - 1)) != 0 || (prot & ~(kProtBits | kGrowth)) != 0) return -EINVAL;
  if (length == 0) return 0;
  if (length > abi::kUserEnd || !is_program_range(address, page_up(length))) return -ENOMEM;
  const uint64_t end = address + page_up(length);

  LockGuard guard(lock_);
  if (!map_.is_covered(address, end)) return -ENOMEM;
  for (uint64_t at = address; at < end;) {
    const Range range = *map_.find(at);
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
  if (const int64_t error = clear(start, end); error != 0) {
    files_.release(file);
    return error;
  }
  return add_private(mapping, 0, file);
}

}  // namespace dsm::runtime
