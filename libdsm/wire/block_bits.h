// SPDX-License-Identifier: Apache-2.0
// One bit for each page of a 2 MiB block.
#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "libdsm/base/ids.h"

namespace dsm::wire {

class BlockBits {
 public:
  static constexpr unsigned kWords = kPagesPerBlock / 64;
  constexpr bool test(unsigned index) const { return words_[index / 64] >> (index % 64) & 1; }
  constexpr void set(unsigned index) { words_[index / 64] |= uint64_t{1} << (index % 64); }
  constexpr void clear(unsigned index) { words_[index / 64] &= ~(uint64_t{1} << (index % 64)); }
  constexpr void set_run(unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; ++i) set(i);
  }
  constexpr unsigned count() const {
    unsigned sum = 0;
    for (uint64_t w : words_) sum += static_cast<unsigned>(std::popcount(w));
    return sum;
  }
  constexpr bool none() const { return count() == 0; }
  constexpr uint64_t& word(unsigned i) { return words_[i]; }
  constexpr uint64_t word(unsigned i) const { return words_[i]; }
  static constexpr BlockBits all() {
    BlockBits bits;
    for (uint64_t& w : bits.words_) w = ~uint64_t{0};
    return bits;
  }
  friend constexpr bool operator==(const BlockBits&, const BlockBits&) = default;

 private:
  std::array<uint64_t, kWords> words_{};
};

}  // namespace dsm::wire
