// SPDX-License-Identifier: Apache-2.0
// A set of up to kMaxNodes nodes as a bitmap.
#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "libdsm/base/ids.h"

namespace dsm::wire {

class NodeSet {
 public:
  static constexpr unsigned kWords = kMaxNodes / 64;
  constexpr bool contains(NodeId n) const { return n.value < kMaxNodes && (words_[n.value / 64] >> (n.value % 64) & 1); }
  constexpr void insert(NodeId n) { words_[n.value / 64] |= uint64_t{1} << (n.value % 64); }
  constexpr void erase(NodeId n) { words_[n.value / 64] &= ~(uint64_t{1} << (n.value % 64)); }
  constexpr unsigned size() const {
    unsigned sum = 0;
    for (uint64_t w : words_) sum += static_cast<unsigned>(std::popcount(w));
    return sum;
  }
  constexpr bool empty() const { return size() == 0; }
  constexpr NodeSet& operator|=(const NodeSet& other) {
    for (unsigned i = 0; i < kWords; ++i) words_[i] |= other.words_[i];
    return *this;
  }
  constexpr uint64_t& word(unsigned i) { return words_[i]; }
  constexpr uint64_t word(unsigned i) const { return words_[i]; }
  // Calls f(NodeId) for each member in rising order.
  template <class F>
  constexpr void for_each(F&& f) const {
    for (unsigned i = 0; i < kWords; ++i)
      for (uint64_t w = words_[i]; w != 0; w &= w - 1)
        f(NodeId{static_cast<uint16_t>(i * 64 + static_cast<unsigned>(std::countr_zero(w)))});
  }
  friend constexpr bool operator==(const NodeSet&, const NodeSet&) = default;

 private:
  std::array<uint64_t, kWords> words_{};
};

}  // namespace dsm::wire
