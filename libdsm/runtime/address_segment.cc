// SPDX-License-Identifier: Apache-2.0
// System V shared memory: pinned ranges at places that we choose, because the kernel's choice could lie where a vessel has
// something else.
#include <asm-generic/errno.h>
#include <linux/mman.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kShmReadOnly = 010000, kShmRound = 020000, kShmRemap = 040000, kShmExec = 0100000;
constexpr int kIpcStat = 2;

// The kernel's struct shmid64_ds: the size follows struct ipc64_perm.
struct SegmentStatus {
  uint8_t permissions[48];
  uint64_t bytes;
  uint8_t rest[96];
};

}  // namespace

int64_t AddressSpace::attach_segment(int64_t id, uint64_t address, uint64_t flags) {
  SegmentStatus status = {};
  if (const int64_t error = sys(__NR_shmctl, id, kIpcStat, &status); is_error(error)) return error;
  const uint64_t length = page_up(status.bytes);
  if (length == 0) return -EINVAL;
  LockGuard guard(lock_);
  if (address == 0) {
    const int64_t place = choose(0, length, 0);
    if (is_error(place)) return place;
    address = static_cast<uint64_t>(place);
  } else {
    if ((address & (abi::kPageSize - 1)) != 0) {
      if ((flags & kShmRound) == 0) return -EINVAL;
      address = page_down(address);
    }
    if (address < abi::kUserBegin || !is_program_range(address, length)) return -EINVAL;
    if ((flags & kShmRemap) == 0 && !map_.is_free(address, address + length)) return -EINVAL;
    if (const int64_t error = clear(address, address + length); error != 0) return error;
  }
  const int64_t result = sys(__NR_shmat, id, address, (flags & ~kShmRound) | kShmRemap);
  if (is_error(result)) return result;
  const uint32_t prot = PROT_READ | ((flags & kShmReadOnly) != 0 ? 0 : PROT_WRITE) | ((flags & kShmExec) != 0 ? PROT_EXEC : 0);
  const Range range = {address, address + length, abi::MapKind::kPinned, prot, 0, 0, nullptr, 0};
  if (const int64_t error = agent_map_add({range.start, length, prot, range.kind, 0, 0}, -1); error != 0) {
    sys(__NR_shmdt, address);
    return error;
  }
  if (const int64_t error = note(range); error != 0) return error;
  return static_cast<int64_t>(address);
}

// A segment is one mapping of the kernel's, perhaps merged with neighbours in our map: its length is found by asking which
// part of our range the detachment leaves unmapped.
int64_t AddressSpace::detach_segment(uint64_t address) {
  LockGuard guard(lock_);
  const Range* range = map_.find(address);
  if (range == nullptr || range->kind != abi::MapKind::kPinned || (range->flags & kRangeRuntime) != 0) return -EINVAL;
  const uint64_t limit = range->end;
  if (const int64_t error = sys(__NR_shmdt, address); is_error(error)) return error;
  unsigned char present;
  uint64_t end = address;
  while (end < limit && sys(__NR_mincore, end, abi::kPageSize, &present) == -ENOMEM) end += abi::kPageSize;
  if (end == address) return 0;
  if (const int64_t error = agent_range(abi::Op::kMapRemove, address, end - address); error != 0) return error;
  return map_.erase(address, end, files_) ? 0 : -ENOMEM;
}

}  // namespace dsm::runtime
