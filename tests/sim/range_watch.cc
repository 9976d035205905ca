// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/range_watch.h"

#include <algorithm>

#include "libdsm/base/check.h"

namespace dsm::sim {

bool CopySearch::any_copy(PageNo page, Token token) const {
  for (const ModelNode& node : nodes)
    if (node.memory().content(page) == token || node.memory().sent(page) == token || node.handles(page, token)) return true;
  return network.carries(page, token);
}

bool CopySearch::any_content(PageNo page) const {
  for (const ModelNode& node : nodes)
    if (node.memory().content(page)) return true;
  return false;
}

RangeWatch::Entry* RangeWatch::find(RangeId id) {
  const auto it = std::find_if(entries_.begin(), entries_.end(), [id](const Entry& e) { return e.id == id; });
  return it == entries_.end() ? nullptr : &*it;
}

void RangeWatch::begin(RangeId id, const PageRange& range, wire::RangeOp op, const Oracle& oracle) {
  Entry entry{.id = id, .range = range, .op = op, .lives = {}};
  for (const PageNo page : oracle.pages()) entry.lives.push_back(oracle.life(page));
  entries_.push_back(std::move(entry));
}

bool RangeWatch::dropping(PageNo page) const {
  return std::any_of(entries_.begin(), entries_.end(), [page](const Entry& e) {
    return e.op == wire::RangeOp::kDrop && e.range.contains(page);
  });
}

bool RangeWatch::recalled(PageNo page, Access access) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) {
    if (!e.finished || !e.range.contains(page)) return false;
    return e.op == wire::RangeOp::kRecallExclusive || (e.op == wire::RangeOp::kRecallShared && access == Access::kWrite);
  });
}

void RangeWatch::zapped(const PageRange& range, const CopySearch& copies, Oracle& oracle) const {
  if (entries_.empty()) return;
  for (const PageNo page : oracle.pages()) {
    if (!range.contains(page) || !dropping(page)) continue;
    const Token truth = oracle.truth(page);
    if (copies.any_content(page) || copies.any_copy(page, truth)) continue;
    oracle.drop({page, 1});
  }
}

void RangeWatch::finish(RangeId id, const CopySearch& copies, Oracle& oracle, Failure& failure) {
  Entry* entry = find(id);
  if (entry == nullptr || entry->finished) return failure.report("RangeFinished for a range that is not open");
  entry->finished = true;
  if (entry->op != wire::RangeOp::kDrop) return check_recall(*entry, copies, oracle, failure);
  for (size_t i = 0; i < oracle.pages().size(); ++i) {
    const PageNo page = oracle.pages()[i];
    if (!entry->range.contains(page) || oracle.life(page) != entry->lives[i]) continue;
    if (oracle.truth(page) != kZero && copies.any_content(page))
      return failure.report("invariant 7: content of page " + std::to_string(page.value) + " outlived its drop");
    oracle.drop({page, 1});
  }
  entries_.erase(entries_.begin() + (entry - entries_.data()));
}

void RangeWatch::check_recall(const Entry& entry, const CopySearch& copies, const Oracle& oracle, Failure& failure) const {
  for (const PageNo page : oracle.pages()) {
    if (!entry.range.contains(page)) continue;
    const Token truth = oracle.truth(page);
    if (truth != kZero && copies.nodes[kOrigin.value].memory().content(page) != truth)
      failure.report("recall finished, but the origin lacks the bytes of page " + std::to_string(page.value));
    for (const ModelNode& node : copies.nodes) {
      if (node.id() == kOrigin) continue;
      const Mapping mapping = node.memory().mapping(page);
      if (mapping == Mapping::kWritable || (mapping != Mapping::kAbsent && entry.op == wire::RangeOp::kRecallExclusive))
        failure.report("recall finished, but node " + std::to_string(node.id().value) + " still maps page " +
                       std::to_string(page.value));
    }
  }
}

void RangeWatch::resume(RangeId id) {
  Entry* entry = find(id);
  DSM_CHECK(entry != nullptr && entry->finished);
  entries_.erase(entries_.begin() + (entry - entries_.data()));
}

void RangeWatch::digest(const Oracle& oracle, Hasher& hasher) const {
  for (const Entry& entry : entries_) {
    hasher.add(entry.id.value << 8 | entry.finished);
    for (size_t i = 0; i < entry.lives.size(); ++i) hasher.add(entry.lives[i] == oracle.life(oracle.pages()[i]));
  }
}

}  // namespace dsm::sim
