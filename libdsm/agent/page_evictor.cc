// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/page_evictor.h"

#include "libdsm/base/check.h"

namespace dsm::agent {
namespace {

// 64 pages a millisecond are 256 MB/s, about what the other traffic of a node leaves.
constexpr uint64_t kBatch = 64;
constexpr TimeNs kBatchNs = 1'000'000;
// Between two walks through the table: the first one's evictions have been carried out by then, as a rule.
constexpr TimeNs kRoundNs = 10'000'000;

}  // namespace

void PageEvictor::start(std::vector<NodeId> targets, TimeNs now) {
  DSM_CHECK(!targets.empty());
  targets_ = std::move(targets);
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
  const std::vector<PageNo> batch = engine.cache().list_held(cursor_, kBatch);
  next_ = now + (cursor_ == 0 ? kRoundNs : kBatchNs);
  for (PageNo page : batch) engine.evict(page, targets_[next_target_++ % targets_.size()], now);
}

}  // namespace dsm::agent
