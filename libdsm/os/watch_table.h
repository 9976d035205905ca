// SPDX-License-Identifier: Apache-2.0
// The watches of a Reactor, by an id that is never used twice while an old event may still carry it.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "libdsm/base/check.h"
#include "libdsm/os/fd.h"
#include "libdsm/os/reactor.h"

namespace dsm::os {

struct Watch {
  int fd = -1;
  uint32_t events = 0;       // 0: a stream
  Reactor::Ready ready;
  Reactor::Arrived arrived;
  Fd duplicate;              // epoll only: a second watch of the same descriptor
};

class WatchTable {
 public:
  WatchId add(Watch watch) {
    size_t slot = 0;
    while (slot < slots_.size() && slots_[slot].watch) ++slot;
    if (slot == slots_.size()) slots_.emplace_back();
    DSM_CHECK(slot <= kSlotMask);
    slots_[slot].generation = (slots_[slot].generation + 1) & kGenerationMask;
    slots_[slot].watch = std::make_unique<Watch>(std::move(watch));
    return static_cast<WatchId>(slot | (slots_[slot].generation + 1) << kSlotBits);
  }

  // nullptr when the watch has ended.
  Watch* find(WatchId id) const {
    const size_t slot = id & kSlotMask;
    if (slot >= slots_.size() || slots_[slot].generation + 1 != id >> kSlotBits) return nullptr;
    return slots_[slot].watch.get();
  }

  // A watch may end inside its own callback, so the object lives until bury().
  void end(WatchId id) {
    if (find(id)) ended_.push_back(std::move(slots_[id & kSlotMask].watch));
  }
  void bury() { ended_.clear(); }

 private:
  static constexpr unsigned kSlotBits = 12;
  static constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;
  static constexpr uint32_t kGenerationMask = (1u << 19) - 1;
  struct Slot {
    std::unique_ptr<Watch> watch;
    uint32_t generation = 0;
  };
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Watch>> ended_;
};

}  // namespace dsm::os
