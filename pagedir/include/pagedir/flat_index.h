// SPDX-License-Identifier: Apache-2.0
// Open-addressing map from a 64-bit key to a dense index. Keys are never removed: blocks and page records live as long
// as their table. Look-ups touch one cache line as a rule.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dsm {

class FlatIndex {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};

  uint32_t find(uint64_t key) const {
    if (slots_.empty()) return kNone;
    for (size_t i = hash(key);; ++i) {
      const Slot& slot = slots_[i & (slots_.size() - 1)];
      if (slot.index == kNone || slot.key == key) return slot.index;
    }
  }
  // The key must not be there yet.
  void insert(uint64_t key, uint32_t index) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    place(key, index);
    ++used_;
  }
  size_t bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    uint64_t key = 0;
    uint32_t index = kNone;
  };
  static size_t hash(uint64_t key) { return static_cast<size_t>((key * 0x9e3779b97f4a7c15u) >> 20); }
  void place(uint64_t key, uint32_t index) {
    size_t i = hash(key);
    while (slots_[i & (slots_.size() - 1)].index != kNone) ++i;
    slots_[i & (slots_.size() - 1)] = Slot{key, index};
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.index != kNone) place(slot.key, slot.index);
  }
  std::vector<Slot> slots_;
  size_t used_ = 0;
};

}  // namespace dsm
