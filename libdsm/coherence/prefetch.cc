// SPDX-License-Identifier: Apache-2.0
#include "libdsm/coherence/prefetch.h"

#include <algorithm>

namespace dsm::coherence {

Ahead Stream::on_miss(PageNo page, Access access, uint16_t max_run) {
  const int64_t step = static_cast<int64_t>(page.value - last_.value);
  const bool sequential = page == frontier_ && (stride_ == 1 || step == 1);
  if (sequential) {
    stride_ = 1;
    ++steps_;
  } else if (step == stride_ && step != 0 && step != 1) {
    ++steps_;
  } else {
    const bool possible = step != 0 && static_cast<uint64_t>(step < 0 ? -step : step) <= kMaxStride;
    stride_ = possible ? step : 0;
    steps_ = possible ? 1 : 0;
    run_ = 1;
  }
  last_ = page;
  frontier_ = page + 1;
  if (steps_ < kConfirm || stride_ == 0) return {};
  Ahead ahead;
  const uint16_t limit = access == Access::kRead ? max_run : std::min(max_run, kMaxWriteRun);
  if (stride_ == 1) {
    run_ = std::min<uint16_t>(std::max<uint16_t>(run_, kFirstRun), limit);
    ahead.count = run_;
    frontier_ = page + run_;
  } else {
    frontier_ = PageNo{page.value + static_cast<uint64_t>(stride_)};
  }
  const Ahead more = advance(page, access, max_run);
  ahead.next = more.next;
  ahead.next_count = more.next_count;
  return ahead;
}

Ahead Stream::on_ahead(PageNo page, Access access, uint16_t max_run) {
  last_ = page;
  if (stride_ == 0) return {};
  return advance(page, access, max_run);
}

Ahead Stream::advance(PageNo page, Access access, uint16_t max_run) {
  const uint16_t limit = access == Access::kRead ? max_run : std::min(max_run, kMaxWriteRun);
  if (limit <= 1) return {};
  Ahead ahead;
  ahead.next = frontier_;
  if (stride_ == 1) {
    if (frontier_.value > page.value + 2u * limit) return {};
    run_ = std::min<uint16_t>(static_cast<uint16_t>(run_ * 2), limit);
    // A run ends with its block; the next one begins there.
    ahead.next_count = static_cast<uint16_t>(std::min<unsigned>(run_, kPagesPerBlock - frontier_.index()));
    frontier_ = frontier_ + ahead.next_count;
    return ahead;
  }
  const int64_t lead = (static_cast<int64_t>(frontier_.value) - static_cast<int64_t>(page.value)) / stride_;
  if (lead > static_cast<int64_t>(kStrideAhead)) return {};
  ahead.next_count = 1;
  frontier_ = PageNo{frontier_.value + static_cast<uint64_t>(stride_)};
  return ahead;
}

uint64_t Stream::state() const {
  return last_.value ^ frontier_.value << 20 ^ static_cast<uint64_t>(stride_) << 40 ^ uint64_t{std::min(steps_, kConfirm + 1)} << 50 ^ uint64_t{run_} << 54;
}

}  // namespace dsm::coherence
