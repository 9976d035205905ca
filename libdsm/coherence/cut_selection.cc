// SPDX-License-Identifier: Apache-2.0
#include "libdsm/coherence/cut_selection.h"

#include "libdsm/base/check.h"

namespace dsm::coherence {

CutSelection::CutSelection(const CacheController& cache) {
  DSM_CHECK(!cache.transactions_in_flight());
  size_t cursor = 0;
  do {
    for (const PageNo page : cache.list_held(cursor, kPagesPerBlock))
      (cache.state_of(page) == PageState::kExclusive ? pages_ : shared_)[page.block()].set(page.index());
  } while (cursor != 0);
}

std::string CutSelection::add(const pagedir::CutShare& share) {
  const auto held = shared_.find(share.block);
  for (unsigned w = 0; w < wire::BlockBits::kWords; ++w) {
    const uint64_t wanted = share.pages.word(w), here = held == shared_.end() ? 0 : held->second.word(w);
    if ((wanted & ~here) == 0) continue;
    const unsigned index = w * 64 + static_cast<unsigned>(std::countr_zero(wanted & ~here));
    return "the directory counts on this node for page " + std::to_string((first_page(share.block) + index).value) + ", which is not Shared here";
  }
  wire::BlockBits& mine = pages_[share.block];
  for (unsigned w = 0; w < wire::BlockBits::kWords; ++w) {
    mine.word(w) |= share.pages.word(w);
    if (held != shared_.end()) held->second.word(w) &= ~share.pages.word(w);
  }
  return {};
}

void CutSelection::add_all_shared() {
  for (const auto& [block, shared] : shared_) {
    wire::BlockBits& mine = pages_[block];
    for (unsigned w = 0; w < wire::BlockBits::kWords; ++w) mine.word(w) |= shared.word(w);
  }
  shared_.clear();
}

uint64_t CutSelection::count() const {
  uint64_t sum = 0;
  for (const auto& [block, pages] : pages_) sum += pages.count();
  return sum;
}

}  // namespace dsm::coherence
