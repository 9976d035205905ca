// SPDX-License-Identifier: Apache-2.0
// Entry points and questions. The work is in the cache_*.cc files beside this one, by concern.
#include "libdsm/coherence/cache_controller.h"

#include "libdsm/base/check.h"

namespace dsm::coherence {

CacheController::CacheController(const CacheConfig& config, const pagedir::ShardMap& map)
    : config_(config), map_(map), links_(map.shards()) {
  DSM_CHECK(config.self.value < config.nodes && config.nodes <= kMaxNodes);
}

template <class M>
void CacheController::take(NodeId src, const M&, TimeNs, Actions& out) {
  error(src, "message that no cache takes", out);
}

void CacheController::on_message(const wire::Envelope& e, TimeNs now, Actions& out) {
  latest_ = now;
  if (e.src.value >= config_.nodes) return error(e.src, "unknown node", out);
  std::visit([&](const auto& m) { take(e.src, m, now, out); }, e.message);
}

// Of the shard's present life. While it is being rebuilt, only data can be: its supplier may have heard of the end
// before us.
bool CacheController::current(PageNo page, TxnId txn) const {
  return wire::epoch_of(txn) == links_[map_.shard_of(page).value].epoch;
}

bool CacheController::transactions_in_flight() const {
  return pending_.active() != 0 || !deferred_.empty() ||
         (range_.phase != RangeState::Phase::kIdle && range_.phase != RangeState::Phase::kRecalled);
}

PageState CacheController::state_of(PageNo page) const {
  const TableBlock* b = table_.find(page.block());
  if (b == nullptr) return is_origin() ? PageState::kNative : PageState::kInvalid;
  const PageEntry& e = b->pages[page.index()];
  return e.state == PageState::kInvalid && b->native.test(page.index()) ? PageState::kExclusive : e.state;
}

bool CacheController::holds_sent(PageNo page) const { return sent_.contains(page); }

bool CacheController::block_open(BlockNo block) const { return !is_origin() || table_.find(block) != nullptr; }

HeldPages CacheController::held() const {
  HeldPages n;
  for (const TableBlock& b : table_.blocks())
    for (const PageEntry& e : b.pages) {
      n.shared += e.state == PageState::kShared;
      n.exclusive += e.state == PageState::kExclusive;
      n.hole += e.state == PageState::kHole;
    }
  n.sent = sent_.size();
  return n;
}

std::vector<PageNo> CacheController::list_held(size_t& cursor, uint64_t most) const {
  std::vector<PageNo> pages;
  const std::vector<TableBlock>& blocks = table_.blocks();
  for (; cursor < blocks.size() * kPagesPerBlock && pages.size() < most; ++cursor) {
    const TableBlock& b = blocks[cursor / kPagesPerBlock];
    const PageState state = b.pages[cursor % kPagesPerBlock].state;
    if (state == PageState::kShared || state == PageState::kExclusive) pages.push_back(first_page(b.number) + cursor % kPagesPerBlock);
  }
  if (cursor >= blocks.size() * kPagesPerBlock) cursor = 0;
  return pages;
}

size_t CacheController::memory_bytes() const {
  return sizeof *this + table_.blocks().size() * (sizeof(TableBlock) + kPagesPerBlock * sizeof(PageEntry)) +
         uses_.capacity() * sizeof(PageUse) + threads_.size() * sizeof(ThreadUse);
}

const char* to_string(PageState s) {
  switch (s) {
    case PageState::kInvalid: return "invalid";
    case PageState::kShared: return "shared";
    case PageState::kExclusive: return "exclusive";
    case PageState::kHole: return "hole";
    case PageState::kNative: return "native";
  }
  return "?";
}

}  // namespace dsm::coherence
