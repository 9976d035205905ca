// SPDX-License-Identifier: Apache-2.0
// Shared anonymous memory before a fork. Until then only the program's threads can write it, so it lives in the memfd like
// private memory and its pages travel. A child shares it as one more process that the protocol knows nothing of: it moves to a
// native mapping at the same place, for good, and threads elsewhere that touch it come to the origin.
//
// No write may be lost on the way, not even the kernel's for a call in progress. So the agent lets everybody wait who
// touches the range (abi::Op::kPin), the page table entries go, and only then are the bytes copied.
//
// Context: the forking thread, all others stopped, memory lock held.
#include <asm-generic/errno.h>
#include <linux/mman.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {

void copy_memory_file(uint64_t to, uint64_t start, uint64_t end) {
  constexpr int kSeekData = 3, kSeekHole = 4;
  const int fd = process().memory_fd;
  uint64_t at = start;
  while (at < end) {
    const int64_t data = sys(__NR_lseek, fd, at, kSeekData);
    if (is_error(data) || static_cast<uint64_t>(data) >= end) return;
    uint64_t hole = static_cast<uint64_t>(RT_MUST(sys(__NR_lseek, fd, data, kSeekHole)));
    if (hole > end) hole = end;
    for (at = static_cast<uint64_t>(data); at < hole;) {
      const int64_t got = sys(__NR_pread64, fd, to + (at - start), hole - at, at);
      RT_CHECK(got > 0);
      at += static_cast<uint64_t>(got);
    }
  }
}

int64_t AddressSpace::pin_shared() {
  for (size_t i = 0; i < map_.size(); i++) {
    const Range range = map_.at(i);
    if (range.kind != abi::MapKind::kPrivate || (range.flags & kRangeShared) == 0) continue;
    if (const int64_t error = pin(range); error != 0) return error;
    i = map_.first_after(range.start);   // neighbours may have become one range
  }
  return 0;
}

int64_t AddressSpace::pin(const Range& range) {
  // Everything that may be refused comes first.
  const uint64_t place = map_.highest_gap(range.bytes(), abi::kPageSize, abi::kUserBegin, top_);
  if (place == 0) return -ENOMEM;
  const int64_t mapped = sys(__NR_mmap, place, range.bytes(), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
  if (is_error(mapped)) return -ENOMEM;
  RT_CHECK(static_cast<uint64_t>(mapped) == place);
  Range pinned = range;
  pinned.kind = abi::MapKind::kPinned;
  if (const int64_t error = agent_range(abi::Op::kPin, range.start, range.bytes()); error != 0)
    fail("BUG: the agent cannot pin %x-%x (error %d)", range.start, range.end, -error);
  RT_MUST(sys(__NR_madvise, range.start, range.bytes(), MADV_DONTNEED));   // the entries only: the memfd keeps the content
  copy_memory_file(place, range.start, range.end);
  RT_MUST(native_protect(place, place + range.bytes(), range.prot));
  RT_MUST(sys(__NR_mremap, place, range.bytes(), range.bytes(), MREMAP_MAYMOVE | MREMAP_FIXED, range.start));
  if (const int64_t error = agent_range(abi::Op::kPinned, range.start, range.bytes()); error != 0)
    fail("BUG: the agent cannot forget %x-%x (error %d)", range.start, range.end, -error);
  RT_CHECK(map_.erase(range.start, range.end, files_) && map_.insert(pinned, files_));
  return 0;
}

}  // namespace dsm::runtime
