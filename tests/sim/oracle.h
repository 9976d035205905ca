// SPDX-License-Identifier: Apache-2.0
// What every page contains, as one machine would have it: each store writes a token that no other store writes, and the
// last one is the truth. A page is one location. Pages that no program touches are not known here.
//
// Invariants
//   1. A token carries the life of its page (raised by each drop) in its upper half, so that a byte of an earlier life
//      can be told from one that is merely stale.
//   2. Token 0 is the zero page.
#pragma once
#include <cstdint>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/hasher.h"

namespace dsm::sim {

using Token = uint64_t;
inline constexpr Token kZero = 0;

// Contents in a digest count by their order, as all numbers that only rise.
inline constexpr uint64_t kTokenIds = ~uint64_t{0};

class Oracle {
 public:
  // `pages` must be sorted.
  explicit Oracle(std::vector<PageNo> pages);

  const std::vector<PageNo>& pages() const { return pages_; }
  bool knows(PageNo) const;
  Token truth(PageNo) const;
  // The content after a store by somebody who may write.
  Token store(PageNo);
  void drop(const PageRange&);
  uint32_t life(PageNo) const;
  bool of_earlier_life(PageNo, Token) const;
  void digest(Hasher&) const;

 private:
  struct Location {
    Token truth = kZero;
    uint32_t life = 1;
  };
  size_t index(PageNo) const;
  std::vector<PageNo> pages_;
  std::vector<Location> locations_;
  uint32_t stores_ = 0;
};

}  // namespace dsm::sim
