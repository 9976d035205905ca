// SPDX-License-Identifier: Apache-2.0
#include "libdsm/coherence/prefetch.h"

#include <algorithm>

namespace dsm::coherence {
namespace {

uint64_t distance(PageNo a, PageNo b) { return a.value > b.value ? a.value - b.value : b.value - a.value; }

uint16_t longest_run(Access access, uint16_t max_run) {
  return access == Access::kRead ? max_run : std::min(max_run, Stream::kMaxWriteRun);
}

}  // namespace

bool Stream::continues_at(PageNo page) const {
  if (page == frontier_ && (stride_ == 1 || page == last_ + 1)) return true;
  if (stride_ == 1) return sequential() && page > last_ && page < frontier_;
  return stride_ != 0 && page.value == last_.value + static_cast<uint64_t>(stride_);
}

bool Stream::near(PageNo page) const { return distance(page, last_) <= kMaxJump; }

bool Stream::asked_for(PageNo page) const {
  if (page == last_) return true;
  if (stride_ == 1) return page > last_ && page < frontier_;
  if (stride_ == 0) return false;
  const auto step = static_cast<int64_t>(page.value - last_.value);
  const auto lead = static_cast<int64_t>(frontier_.value - last_.value);
  return step % stride_ == 0 && step / stride_ > 0 && step / stride_ < lead / stride_;
}

Ahead Stream::on_miss(PageNo page, Access access, uint16_t max_run) {
  const bool short_of = page != frontier_ && sequential() && page > last_ && page < frontier_;
  if (!continues_at(page)) turn(page);
  else if (page == frontier_ && page == last_ + 1) stride_ = 1, ++steps_;
  else ++steps_;
  if (short_of) run_ = 1;  // less came than was asked for
  const bool outgrown = expected_ != 0 && stride_ == 1 && page >= start_ + expected_;
  if (outgrown) expected_ = 0, run_ = 1;
  last_ = page;
  frontier_ = page + 1;
  if (steps_ < kConfirm || stride_ == 0) return {};
  Ahead ahead;
  if (stride_ == 1) {
    run_ = std::min(std::max(run_, kFirstRun), longest_run(access, max_run));
    ahead.count = up_to_expected(page, run_);
    frontier_ = page + ahead.count;
    if (outgrown || short_of) return ahead;
  } else {
    frontier_ = PageNo{page.value + static_cast<uint64_t>(stride_)};
  }
  const Ahead more = advance(page, access, max_run);
  ahead.next = more.next;
  ahead.next_count = more.next_count;
  return ahead;
}

// Another stretch begins, or the first step of a stride was made.
void Stream::turn(PageNo page) {
  if (sequential()) expected_ = static_cast<uint32_t>(last_.value - start_.value + 1);
  const bool possible = page != last_ && distance(page, last_) <= kMaxStride;
  stride_ = possible ? static_cast<int64_t>(page.value - last_.value) : 0;
  steps_ = possible ? 1 : 0;
  run_ = 1;
  start_ = page;
}

Ahead Stream::on_ahead(PageNo page, Access access, uint16_t max_run) {
  last_ = page;
  if (stride_ == 0) return {};
  return advance(page, access, max_run);
}

// As much of a run as lies within the expected stretch.
uint16_t Stream::up_to_expected(PageNo from, unsigned count) const {
  const PageNo end = start_ + expected_;
  if (expected_ == 0 || from >= end) return static_cast<uint16_t>(count);
  return static_cast<uint16_t>(std::min<uint64_t>(count, end.value - from.value));
}

Ahead Stream::advance(PageNo page, Access access, uint16_t max_run) {
  const uint16_t limit = longest_run(access, max_run);
  if (limit <= 1) return {};
  Ahead ahead;
  ahead.next = frontier_;
  if (stride_ == 1) {
    if (frontier_.value > page.value + 2u * limit) return {};
    if (expected_ != 0 && frontier_ >= start_ + expected_) return {};
    run_ = std::min<uint16_t>(static_cast<uint16_t>(run_ * 2), limit);
    // A run ends with its block; the next one begins there.
    ahead.next_count = up_to_expected(frontier_, std::min<unsigned>(run_, kPagesPerBlock - frontier_.index()));
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
  return last_.value ^ frontier_.value << 20 ^ static_cast<uint64_t>(stride_) << 40 ^ uint64_t{std::min(steps_, kConfirm + 1)} << 50 ^ uint64_t{run_} << 54 ^
         (start_.value * 31 + expected_) << 9;
}

}  // namespace dsm::coherence
