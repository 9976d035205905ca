// SPDX-License-Identifier: Apache-2.0
// Which pages have content (mincore), and giving them some (MAP_POPULATE, MADV_POPULATE). A page counts as resident on whatever node it
// lives. To know, the newest bytes of the range are brought to the origin for an instant: programs ask this of a few
// pages, if at all.
#include <asm-generic/errno.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr int kSeekData = 3, kSeekHole = 4;

// present[i] := 1 where page i of [start,end) has content in this node's memory file.
void mark_content(uint64_t start, uint64_t end, unsigned char* present) {
  const int fd = process().memory_fd;
  for (uint64_t at = start; at < end;) {
    const int64_t data = sys(__NR_lseek, fd, at, kSeekData);
    if (is_error(data) || static_cast<uint64_t>(data) >= end) return;
    uint64_t hole = static_cast<uint64_t>(RT_MUST(sys(__NR_lseek, fd, data, kSeekHole)));
    if (hole > end) hole = end;
    for (at = static_cast<uint64_t>(data); at < hole; at += abi::kPageSize) present[(at - start) / abi::kPageSize] = 1;
  }
}

class FrozenRange {
 public:
  FrozenRange(uint64_t start, uint64_t end) : start_(start), bytes_(end - start) {
    RT_CHECK(agent_range(abi::Op::kFreeze, start_, bytes_) == 0);
  }
  ~FrozenRange() { RT_CHECK(agent_range(abi::Op::kThaw, start_, bytes_) == 0); }
  FrozenRange(const FrozenRange&) = delete;
  FrozenRange& operator=(const FrozenRange&) = delete;

 private:
  uint64_t start_, bytes_;
};

}  // namespace

int64_t AddressSpace::resident(uint64_t address, uint64_t length, uint64_t vector) {
  if ((address & (abi::kPageSize - 1)) != 0) return -EINVAL;
  if (length == 0) return 0;
  if (length > abi::kUserEnd || !is_program_range(address, page_up(length))) return -ENOMEM;
  const uint64_t end = address + page_up(length), pages = (end - address) / abi::kPageSize;
  if (!is_argument_range(vector, pages)) return -EFAULT;
  auto* present = static_cast<unsigned char*>(process().arena.take(pages));
  int64_t result = 0;
  {
    LockGuard guard(lock_);
    if (!map_.is_covered(address, end)) result = -ENOMEM;
    for (uint64_t at = address; at < end && result == 0;) {
      const Range& range = *map_.find(at);
      const uint64_t stop = range.end < end ? range.end : end;
      unsigned char* piece = present + (at - address) / abi::kPageSize;
      if (range.kind != abi::MapKind::kPrivate) {
        result = sys(__NR_mincore, at, stop - at, piece);
      } else {
        const FrozenRange frozen(at, stop);
        mark_content(at, stop, piece);
      }
      at = stop;
    }
  }
  // The vector may lie in a range that was frozen, so it is written last.
  if (result == 0) result = copy_to_program(vector, present, pages);
  process().arena.give_back(present, pages);
  return result;
}

void touch_pages(uint64_t start, uint64_t bytes, bool for_writing) {
  for (uint64_t at = start; at - start < bytes; at += abi::kPageSize) {
    uint8_t byte;
    if (for_writing ? dsm_user_or_zero(reinterpret_cast<uint32_t*>(at)) != 0 : read_program(byte, at) != 0) return;
  }
}

}  // namespace dsm::runtime
