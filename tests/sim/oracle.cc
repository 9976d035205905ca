// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/oracle.h"

#include <algorithm>

#include "libdsm/base/check.h"

namespace dsm::sim {

Oracle::Oracle(std::vector<PageNo> pages) : pages_(std::move(pages)), locations_(pages_.size()) {
  DSM_CHECK(std::is_sorted(pages_.begin(), pages_.end()));
}

size_t Oracle::index(PageNo page) const {
  return static_cast<size_t>(std::lower_bound(pages_.begin(), pages_.end(), page) - pages_.begin());
}

bool Oracle::knows(PageNo page) const {
  const size_t i = index(page);
  return i < pages_.size() && pages_[i] == page;
}

Token Oracle::truth(PageNo page) const {
  return knows(page) ? locations_[index(page)].truth : kZero;
}

Token Oracle::store(PageNo page) {
  DSM_CHECK(knows(page));
  Location& location = locations_[index(page)];
  location.truth = uint64_t{location.life} << 32 | ++stores_;
  return location.truth;
}

void Oracle::drop(const PageRange& range) {
  for (size_t i = 0; i < pages_.size(); ++i) {
    if (!range.contains(pages_[i])) continue;
    locations_[i].truth = kZero;
    ++locations_[i].life;
  }
}

uint32_t Oracle::life(PageNo page) const { return locations_[index(page)].life; }

bool Oracle::of_earlier_life(PageNo page, Token token) const {
  return token != kZero && token >> 32 != locations_[index(page)].life;
}

void Oracle::digest(Hasher& hasher) const {
  for (const Location& location : locations_) hasher.add_id(kTokenIds, location.truth);
}

}  // namespace dsm::sim
