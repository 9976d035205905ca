// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/payload_pool.h"

#include "libdsm/base/check.h"

namespace dsm::agent {
namespace {
constexpr size_t kSmallest = 64 * 1024;
}

PayloadPool::Buffer PayloadPool::take(size_t bytes) {
  size_t i = 0;
  while (i < slots_.size() && slots_[i].taken) ++i;  // few are out at a time
  if (i == slots_.size()) slots_.emplace_back();
  Slot& slot = slots_[i];
  if (slot.size < bytes) {
    slot.size = bytes < kSmallest ? kSmallest : bytes;
    slot.memory.reset(new std::byte[slot.size]);
  }
  slot.taken = true;
  return {i + 1, {slot.memory.get(), bytes}};
}

void PayloadPool::give_back(BufferId id) {
  DSM_CHECK(id != kNoBuffer && id <= slots_.size() && slots_[id - 1].taken);
  slots_[id - 1].taken = false;
}

}  // namespace dsm::agent
