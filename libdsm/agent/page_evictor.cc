// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/page_evictor.h"

#include <algorithm>

#include "libdsm/base/check.h"

namespace dsm::agent {
namespace {

// 64 pages a millisecond are 256 MB/s, about what the other traffic of a node leaves.
constexpr uint64_t kBatch = 64;
constexpr TimeNs kBatchNs = 1'000'000;
// Between two walks through the table: the first one's evictions have been carried out by then, as a rule.
constexpr TimeNs kRoundNs = 10'000'000;

}  // namespace

void PageEvictor::start(std::vector<NodeId> targets, uint64_t keep, TimeNs now) {
  DSM_CHECK(!targets.empty());
  targets_ = std::move(targets);
  keep_ = keep;
  if (active_) return;
  active_ = true;
  next_ = now;
  cursor_ = 0;
}

uint64_t PageEvictor::held(const Engine& engine) {
  const coherence::HeldPages held = engine.cache().held();
  return held.shared + held.exclusive;
}

void PageEvictor::on_time(Engine& engine, TimeNs now) {
  if (!active_ || now < next_) return;
  const uint64_t here = held(engine);
  next_ = now + kBatchNs;
  if (here <= keep_) {
    next_ = now + kRoundNs;
    return;
  }
  const std::vector<PageNo> batch = engine.cache().list_held(cursor_, std::min(kBatch, here - keep_));
  if (cursor_ == 0) next_ = now + kRoundNs;
  for (PageNo page : batch) engine.evict(page, targets_[next_target_++ % targets_.size()], now);
}

}  // namespace dsm::agent
