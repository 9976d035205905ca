// SPDX-License-Identifier: Apache-2.0
#include "pagedir/recovery.h"

#include <algorithm>

#include "libdsm/base/check.h"

namespace dsm::pagedir {

using Kind = wire::ReportEntry::Kind;

void Recovery::freeze(NodeId host, Sends& out) const {
  nodes_.for_each([&](NodeId n) { out.push_back({n, wire::ShardFreeze{shard_, host, epoch_}}); });
}

const char* Recovery::on_report(NodeId src, const wire::ShardReport& m) {
  if (m.epoch != epoch_) return nullptr;  // for an earlier attempt
  if (!missing_.contains(src)) return "report from a node that was not asked or has finished";
  version_ = std::max(version_, m.version);
  for (unsigned i = 0; i < m.entries; ++i) {
    const wire::ReportEntry& e = m.entry[i];
    if (e.kind == Kind::kNativeOpen) {
      if (src != kOrigin) return "only the origin opens blocks";
      open_.push_back(e.page.block());
      continue;
    }
    for (unsigned k = 0; k < e.count; ++k) holdings_.push_back({e.page + k, src, e.kind, e.txn, e.version});
  }
  if (m.last) missing_.erase(src);
  return nullptr;
}

void Recovery::rebuild(Shard& shard, Mutation mutation, Sends& out) {
  DSM_CHECK(complete());
  for (const Holding& h : holdings_) open_.push_back(h.page.block());
  std::sort(open_.begin(), open_.end());
  open_.erase(std::unique(open_.begin(), open_.end()), open_.end());
  for (BlockNo b : open_) shard.restore_block(b, version_);

  std::sort(holdings_.begin(), holdings_.end(), [](const Holding& a, const Holding& b) {
    return a.page != b.page ? a.page < b.page : a.txn != b.txn ? a.txn > b.txn : a.node < b.node;
  });
  std::vector<NodeVerdict> verdicts;
  for (size_t i = 0; i < holdings_.size();) {
    size_t end = i + 1;
    while (end < holdings_.size() && holdings_[end].page == holdings_[i].page) ++end;
    resolve(holdings_.data() + i, holdings_.data() + end, shard, mutation, verdicts);
    i = end;
  }
  send_verdicts(verdicts, out);
}

// The holdings of one page, newest first.
void Recovery::resolve(const Holding* first, const Holding* last, Shard& shard, Mutation mutation,
                       std::vector<NodeVerdict>& verdicts) const {
  const Holding* owner = nullptr;
  const Holding* sent = nullptr;
  wire::NodeSet sharers;
  wire::Version version = 0;
  for (const Holding* h = first; h != last; ++h) version = std::max(version, h->version);
  for (const Holding* h = first; h != last; ++h) {
    if (h->version < version || h->kind == Kind::kDropped) continue;  // of an earlier life
    if (h->kind == Kind::kSent) sent = sent == nullptr ? h : sent;
    else if (h->kind == Kind::kShared) sharers.insert(h->node);
    else if (owner == nullptr) owner = h;
  }
  // Content that no grant brought is the origin's only while nobody has a grant.
  if (owner != nullptr && owner->txn.value == 0 && (!sharers.empty() || sent != nullptr)) owner = nullptr;
  const bool held = owner != nullptr || !sharers.empty();
  const bool restore = sent != nullptr && (!held || mutation == Mutation::kStaleSentRestored);
  for (const Holding* h = first; h != last; ++h) {
    if (h->kind != Kind::kSent) continue;
    using V = wire::Verdict::Kind;
    verdicts.push_back({h->node, {h->page, restore && h == sent ? V::kRestoreSent : V::kForgetSent}});
  }
  wire::NodeSet one;
  if (restore || owner != nullptr) {
    one.insert(restore ? sent->node : owner->node);
    shard.restore_page(first->page, DirState::kExclusive, one, version, !restore && owner->kind == Kind::kHole);
  } else {
    const DirState state = sharers.empty() ? DirState::kUntouched : DirState::kShared;
    shard.restore_page(first->page, state, sharers, version, false);
  }
}

void Recovery::send_verdicts(const std::vector<NodeVerdict>& verdicts, Sends& out) const {
  nodes_.for_each([&](NodeId n) {
    wire::ShardInstall m{};
    m.shard = shard_;
    m.epoch = epoch_;
    for (const NodeVerdict& v : verdicts) {
      if (v.node != n) continue;
      m.verdict[m.verdicts++] = v.verdict;
      if (m.verdicts < wire::ShardInstall::kMaxVerdicts) continue;
      out.push_back({n, m});
      m.verdicts = 0;
      m.verdict = {};
    }
    m.last = true;
    out.push_back({n, m});
  });
}

void Recovery::digest(Hasher& out) const {
  out.add(epoch_);
  for (unsigned i = 0; i < wire::NodeSet::kWords; ++i) out.add(missing_.word(i));
  out.add(version_);
  for (const Holding& h : holdings_) {
    Hasher e = out.element();
    e.add(h.page.value);
    e.add(uint64_t(h.node.value) | uint64_t(h.kind) << 16 | uint64_t(h.version) << 32);
    e.add_id(kTransactionIds, h.txn.value);
    out.add_unordered(e);
  }
  for (BlockNo b : open_) {
    Hasher e;
    e.add(b.value);
    out.add_unordered(e);
  }
}

}  // namespace dsm::pagedir
