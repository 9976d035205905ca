// SPDX-License-Identifier: Apache-2.0
// A shard is being rebuilt: stop talking to its old life, say what is held, carry out the verdicts, ask again.
#include <algorithm>

#include "libdsm/coherence/cache_controller.h"

namespace dsm::coherence {

using Kind = wire::ReportEntry::Kind;

void CacheController::take(NodeId src, const wire::ShardFreeze& m, TimeNs now, Actions& out) {
  if (m.shard.value >= links_.size() || src != m.host) return error(src, "freeze of an unknown shard", out);
  ShardLink& link = links_[m.shard.value];
  if (m.epoch <= link.epoch) return;
  link.epoch = m.epoch;
  link.frozen = true;
  const NodeId old_host = map_.host_of(m.shard);
  map_.move(m.shard, m.host);
  std::erase_if(deferred_, [&](const Deferred& d) { return map_.shard_of(d.page) == m.shard; });
  std::erase_if(range_.held_opens, [&](BlockNo b) { return map_.shard_of(b) == m.shard; });
  pending_.for_each([&](Pending& p) {
    if (map_.shard_of(p.page) != m.shard) return;
    // Bytes without permission: their supplier still has them.
    if (p.has_data) out.push_back(Zap{p.page, 1});
    p.issued = p.has_data = p.has_grant = false;
  });
  hold_range_at(m.shard, old_host, out);
  report(m.shard, out);
  if (range_.phase == RangeState::Phase::kQuiescing && range_.waiting_hosts.empty()) {
    quiesced(now, out);
    start_next_range(now, out);
  }
}

// A range that is held stays held in the rebuilt shard from its first moment on; a host that has no shard any more will
// not answer.
void CacheController::hold_range_at(ShardId shard, NodeId old_host, Actions& out) {
  if (range_.phase == RangeState::Phase::kIdle) return;
  if (!map_.hosts().contains(old_host)) {
    range_.hosts.erase(old_host);
    range_.waiting_hosts.erase(old_host);
  }
  const bool touched = std::any_of(table_.blocks().begin(), table_.blocks().end(), [&](const TableBlock& b) {
    return map_.shard_of(b.number) == shard && range_.touches(b.number);
  });
  if (!touched) return;
  const NodeId host = map_.host_of(shard);
  range_.hosts.insert(host);
  out.push_back(Send{host, wire::RangeQuiesce{range_.job.id, range_.job.range, range_.version, range_.job.op}, NoPayload{}});
  if (range_.phase == RangeState::Phase::kRecalled) return;
  range_.phase = RangeState::Phase::kQuiescing;
  range_.waiting_hosts.insert(host);
  range_.waiting_holders = {};
}

void CacheController::report(ShardId shard, Actions& out) {
  const NodeId host = map_.host_of(shard);
  wire::ShardReport m{};
  m.shard = shard;
  m.epoch = links_[shard.value].epoch;
  auto add = [&](const wire::ReportEntry& e) {
    m.entry[m.entries++] = e;
    if (m.entries < wire::ShardReport::kMaxEntries) return;
    out.push_back(Send{host, m, NoPayload{}});
    m.entries = 0;
    m.entry = {};
  };
  for (const TableBlock& b : table_.blocks()) {
    if (map_.shard_of(b.number) != shard) continue;
    if (is_origin()) add({first_page(b.number), {}, 0, 1, Kind::kNativeOpen});
    // What was dropped counts, too: another cache may have reported before the drop reached it.
    auto kind_at = [&](unsigned i) {
      switch (b.pages[i].state) {
        case PageState::kShared: return Kind::kShared;
        case PageState::kExclusive: return Kind::kExclusive;
        case PageState::kHole: return Kind::kHole;
        default: break;
      }
      if (b.native.test(i)) return Kind::kExclusive;
      return is_origin() && b.pages[i].version != 0 ? Kind::kDropped : Kind{};
    };
    for (unsigned i = 0; i < kPagesPerBlock;) {
      const PageEntry& e = b.pages[i];
      const Kind kind = kind_at(i);
      m.version = std::max(m.version, e.version);
      unsigned end = i + 1;
      while (end < kPagesPerBlock && kind_at(end) == kind && b.pages[end].txn == e.txn && b.pages[end].version == e.version) ++end;
      if (kind != Kind{}) add({first_page(b.number) + i, e.txn, e.version, static_cast<uint16_t>(end - i), kind});
      i = end;
    }
  }
  for (const auto& [page, txn] : sent_)
    if (map_.shard_of(page) == shard) add({page, txn, table_.find(page)->version, 1, Kind::kSent});
  m.last = true;
  out.push_back(Send{host, m, NoPayload{}});
}

void CacheController::take(NodeId src, const wire::ShardInstall& m, TimeNs, Actions& out) {
  if (m.shard.value >= links_.size() || src != map_.host_of(m.shard)) return error(src, "verdicts from a node that is not the shard's host", out);
  ShardLink& link = links_[m.shard.value];
  if (m.epoch != link.epoch || !link.frozen) return;
  for (unsigned i = 0; i < m.verdicts; ++i) {
    if (map_.shard_of(m.verdict[i].page) != m.shard) return error(src, "verdict on a page of another shard", out);
    carry_out(m.verdict[i], out);
  }
  if (!m.last) return;
  link.frozen = false;
  pending_.for_each([&](Pending& p) {
    if (map_.shard_of(p.page) == m.shard) issue(p, out);
  });
}

void CacheController::carry_out(const wire::Verdict& v, Actions& out) {
  auto kept = sent_.find(v.page);
  if (kept == sent_.end()) return;  // dropped since
  PageEntry& e = entry_of(v.page);
  if (v.kind == wire::Verdict::Kind::kRestoreSent && e.state == PageState::kInvalid) {
    e.state = PageState::kExclusive;
    e.txn = kept->second;
    out.push_back(RestoreSent{v.page});
  }
  out.push_back(ForgetSent{v.page, 1});
  sent_.erase(kept);
}

}  // namespace dsm::coherence
