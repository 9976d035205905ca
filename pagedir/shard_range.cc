// SPDX-License-Identifier: Apache-2.0
// Range transactions: hold new requests back, wait for those in flight, bring content to the origin where that is
// asked for.
#include <algorithm>

#include "libdsm/base/check.h"
#include "pagedir/shard.h"

namespace dsm::pagedir {

using Kind = Transaction::Kind;

Shard::HeldRange* Shard::find_range(RangeId id) {
  for (HeldRange& r : ranges_)
    if (r.id == id) return &r;
  return nullptr;
}
const Shard::HeldRange* Shard::find_range(RangeId id) const { return const_cast<Shard*>(this)->find_range(id); }

bool Shard::has_range(RangeId id) const { return find_range(id) != nullptr; }

bool Shard::range_quiet(RangeId id) const {
  const HeldRange* r = find_range(id);
  return r == nullptr || r->quiet;
}

void Shard::begin_range(const wire::RangeQuiesce& m, TimeNs, Sends& out) {
  if (has_range(m.id)) return;
  HeldRange r;
  r.id = m.id;
  r.range = m.range;
  r.version = m.version;
  r.op = m.op;
  if (m.op != wire::RangeOp::kDrop)
    blocks_.for_each_open(m.range, [&](Block& b, unsigned, unsigned) { r.todo.push_back(b.number); });
  ranges_.push_back(std::move(r));
  advance_range(ranges_.back(), out);
}

void Shard::advance_ranges(Sends& out) {
  for (HeldRange& r : ranges_) advance_range(r, out);
}

void Shard::advance_range(HeldRange& r, Sends& out) {
  if (r.quiet) return;
  if (config_.mutation == Mutation::kDropIgnoresInFlight && r.op == wire::RangeOp::kDrop) {
    r.quiet = true;
    return;
  }
  bool in_flight = false;
  txns_.for_each([&](const Transaction& t) {
    const bool before = t.page.value + t.marked <= r.range.first.value;
    const bool behind = t.page.value >= r.range.first.value && !r.range.contains(t.page);
    if (!before && !behind && !(t.is_recall && t.recall == r.id)) in_flight = true;
  });
  if (in_flight) return;
  while (!r.todo.empty() && r.recalls < kMaxRecalls) {
    Block& b = *blocks_.find(r.todo.back());
    while (r.next_index < kPagesPerBlock && r.recalls < kMaxRecalls) {
      const unsigned i = r.next_index++;
      if (r.range.contains(first_page(b.number) + i) && !b.entries[i].busy) recall(r, b, i, out);
    }
    if (r.next_index < kPagesPerBlock) break;
    r.todo.pop_back();
    r.next_index = 0;
  }
  r.quiet = r.todo.empty() && r.recalls == 0;
}

// One step towards "the origin has the bytes" (and nobody else). False when there is nothing left to do.
bool Shard::recall(HeldRange& r, Block& block, unsigned index, Sends& out) {
  const Entry& e = block.entries[index];
  const bool exclusive = r.op == wire::RangeOp::kRecallExclusive;
  if (!r.range.contains(first_page(block.number) + index)) return false;
  if (e.state != DirState::kShared && e.state != DirState::kExclusive) return false;
  Ask ask;
  ask.from = kOrigin;
  ask.access = exclusive && e.state == DirState::kExclusive ? Access::kWrite : Access::kRead;
  if (holders_.contains(e, kOrigin)) {
    wire::NodeSet others = holders_.get(e);
    others.erase(kOrigin);
    if (others.empty() || !exclusive) return false;
    Transaction& t = start(block, index, Kind::kDiscard, Transaction::kNobody, Access::kWrite, 0, 1);
    t.acks = others;
    others.for_each([&](NodeId n) { out.push_back({n, wire::Invalidate{t.page, 1, t.id}}); });
  } else if (e.state == DirState::kExclusive) {
    fetch_exclusive(block, index, ask, out);
  } else {
    fetch_shared(block, index, ask, out);
  }
  Transaction& t = txns_.at(records_.at(block.entries[index].record).txn);
  t.is_recall = true;
  t.recall = r.id;
  ++r.recalls;
  return true;
}

wire::NodeSet Shard::range_holders(RangeId id) const {
  wire::NodeSet all;
  const HeldRange* r = find_range(id);
  if (r == nullptr) return all;
  const_cast<Shard*>(this)->blocks_.for_each_open(r->range, [&](Block& b, unsigned from, unsigned to) {
    all |= b.suppliers;
    for (unsigned i = from; i < to; ++i)
      if (b.entries[i].holders != 0) all |= holders_.get(b.entries[i]);
  });
  return all;
}

void Shard::end_range(RangeId id, TimeNs now, Sends& out) {
  const HeldRange* found = find_range(id);
  if (found == nullptr) return;
  const HeldRange r = *found;
  std::erase_if(ranges_, [&](const HeldRange& other) { return other.id == id; });
  blocks_.for_each_open(r.range, [&](Block& b, unsigned from, unsigned to) {
    b.rights_stale = true;
    if (r.op == wire::RangeOp::kDrop && to - from == kPagesPerBlock) b.suppliers = {};
    for (unsigned i = from; i < to; ++i) {
      Entry& e = b.entries[i];
      if (r.op == wire::RangeOp::kDrop && config_.mutation != Mutation::kVersionNotRaised) {
        if (config_.mutation != Mutation::kDropIgnoresInFlight) DSM_CHECK(!e.busy);
        e.state = DirState::kUntouched;
        e.maybe_hole = 0;
        e.version = r.version;
        holders_.clear(e);
      }
    }
    for (unsigned i = from; i < to; ++i)
      if (b.entries[i].waiting) serve_waiters(b, i, now, out);
  });
}

}  // namespace dsm::pagedir
