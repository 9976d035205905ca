// SPDX-License-Identifier: Apache-2.0
// What a request sets off, by the state of its page. The page is idle, allowed by the address map, and in no held range
// (recalls excepted).
#include <algorithm>

#include "libdsm/base/check.h"
#include "pagedir/shard.h"

namespace dsm::pagedir {

void Shard::begin_request(Block& block, unsigned index, const Ask& ask, Sends& out) {
  const Entry& e = block.entries[index];
  switch (e.state) {
    case DirState::kNative: DSM_CHECK(false); return;
    case DirState::kUntouched: return grant_extent(block, index, ask, out);
    case DirState::kShared: {
      const bool has_copy =
          holders_.contains(e, ask.from) || (config_.mutation == Mutation::kUncheckedUpgrade && ask.has_copy);
      if (has_copy) return grant_upgrade(block, index, ask, out);
      return ask.access == Access::kRead ? fetch_shared(block, index, ask, out) : move_from_sharer(block, index, ask, out);
    }
    case DirState::kExclusive:
      if (holders_.only(e, ask.from)) return grant_upgrade(block, index, ask, out);
      return fetch_exclusive(block, index, ask, out);
  }
}

bool Shard::idle_at(const Block& block, unsigned index) const {
  const Entry& e = block.entries[index];
  return !e.busy && !e.waiting;
}

Transaction& Shard::start(Block& block, unsigned index, Transaction::Kind kind, NodeId requester, Access access,
                          wire::RequestNo req, unsigned marked) {
  PageRecord& record = record_of(block, index);
  const uint32_t slot = txns_.add();
  record.txn = slot;
  Transaction& t = txns_.at(slot);
  t.kind = kind;
  t.page = first_page(block.number) + index;
  t.requester = requester;
  t.access = access;
  t.req = req;
  t.marked = static_cast<uint16_t>(marked);
  for (unsigned i = index; i < index + marked; ++i) {
    DSM_CHECK(!block.entries[i].busy);
    block.entries[i].busy = 1;
  }
  return t;
}

void Shard::send_grant(const Transaction& t, const Block& block, bool zero, Sends& out) {
  out.push_back({t.requester, wire::Grant{t.page, t.marked, t.access, t.id, t.req,
                                          block.entries[t.page.index()].version, zero}});
}

void Shard::send_fetch(const Transaction& t, const Block& block, bool final, Sends& out) {
  out.push_back({t.supplier, wire::Fetch{t.page, t.count, t.hole_count, t.access, t.requester, t.id, t.req,
                                         block.entries[t.page.index()].version, final, t.may_move}});
  if (config_.mutation == Mutation::kEarlyRelease && t.access == Access::kWrite)
    out.push_back({t.supplier, wire::Release{t.page, t.count, t.id}});
}

void Shard::invalidate(Transaction& t, const wire::NodeSet& sharers, Sends& out) {
  t.acks = sharers;
  bool skip = config_.mutation == Mutation::kSkipInvalidation;
  sharers.for_each([&](NodeId n) {
    if (skip) {
      skip = false;
      t.acks.erase(n);
      return;
    }
    out.push_back({n, wire::Invalidate{t.page, t.marked, t.id}});
  });
}

// Untouched memory: everything from here to the end of the untouched run, so that first touches cost no round trip.
void Shard::grant_extent(Block& block, unsigned index, const Ask& ask, Sends& out) {
  auto takes = [&](unsigned i) {
    return block.entries[i].state == DirState::kUntouched && idle_at(block, i) &&
           block.entries[i].version == block.entries[index].version &&
           block.rights.allows(i, Access::kWrite) && !held(first_page(block.number) + i);
  };
  unsigned count = 1;
  Access access = Access::kRead;  // memory without PROT_WRITE: a zero page, read-only
  if (block.rights.allows(index, Access::kWrite)) {
    access = Access::kWrite;
    while (index + count < kPagesPerBlock && takes(index + count)) ++count;
  }
  const Transaction& t = start(block, index, Transaction::Kind::kExtent, ask.from, access, ask.req, count);
  send_grant(t, block, /*zero=*/true, out);
}

// How far a run from `index` goes that the same nodes share, the requester among them.
unsigned Shard::upgrade_run(const Block& block, unsigned index, const Ask& ask) const {
  const Entry& first = block.entries[index];
  const wire::NodeSet sharers = holders_.get(first);
  const unsigned limit = std::min<unsigned>(ask.count, kMaxRun);
  unsigned count = 1;
  for (; count < limit && index + count < kPagesPerBlock && sharers.contains(ask.from); ++count) {
    const Entry& e = block.entries[index + count];
    if (e.state != DirState::kShared || !idle_at(block, index + count) || e.version != first.version) break;
    if (!block.rights.allows(index + count, Access::kWrite) || held(first_page(block.number) + (index + count))) break;
    if (holders_.get(e) != sharers) break;
  }
  return count;
}

// The requester has the bytes: rights without data, once nobody else can read.
void Shard::grant_upgrade(Block& block, unsigned index, const Ask& ask, Sends& out) {
  const Entry& e = block.entries[index];
  const Access access = e.state == DirState::kExclusive ? Access::kWrite : ask.access;
  wire::NodeSet others = holders_.get(e);
  const unsigned run = e.state == DirState::kShared && access == Access::kWrite ? upgrade_run(block, index, ask) : 1;
  Transaction& t = start(block, index, Transaction::Kind::kUpgrade, ask.from, access, ask.req, run);
  if (access == Access::kWrite) {
    others.erase(ask.from);
    invalidate(t, others, out);
  }
  if (t.acks.empty() || config_.mutation == Mutation::kGrantBeforeAcks) send_grant(t, block, /*zero=*/false, out);
  else t.grant_after_acks = true;
}

// How far a run from `index` goes that `supplier` can copy (or, for writing, hand over) to `requester`.
unsigned Shard::copy_run(const Block& block, unsigned index, unsigned limit, NodeId supplier, NodeId requester,
                         Access access) const {
  unsigned count = 1;
  for (; count < limit && index + count < kPagesPerBlock; ++count) {
    const Entry& e = block.entries[index + count];
    if (!idle_at(block, index + count) || e.version != block.entries[index].version) break;
    if (!block.rights.allows(index + count, access) || held(first_page(block.number) + (index + count))) break;
    const bool owned = e.state == DirState::kExclusive && holders_.only(e, supplier) && !e.maybe_hole;
    const bool shared = e.state == DirState::kShared && access == Access::kRead && holders_.contains(e, supplier) &&
                        !holders_.contains(e, requester);
    if (!owned && !shared) break;
  }
  return count;
}

unsigned Shard::hole_run(const Block& block, unsigned index, NodeId owner) const {
  unsigned count = 0;
  if (block.rights_stale) return 0;
  for (; count < kMaxRun && index + count < kPagesPerBlock; ++count) {
    const Entry& e = block.entries[index + count];
    if (e.state != DirState::kExclusive || !e.maybe_hole || !holders_.only(e, owner)) break;
    if (e.version != block.entries[index].version) break;
    if (!idle_at(block, index + count) || !block.rights.allows(index + count, Access::kWrite)) break;
    if (count > 0 && held(first_page(block.number) + (index + count))) break;
  }
  return count;
}

// This node's own copy costs a message less; otherwise the sharers take turns.
NodeId Shard::choose_supplier(const Entry& e) {
  if (holders_.contains(e, config_.self)) return config_.self;
  rotate_ = (rotate_ + 1) % holders_.size(e);  // bounded, so that it does not make every state new
  return holders_.nth(e, rotate_);
}

void Shard::fetch_shared(Block& block, unsigned index, const Ask& ask, Sends& out) {
  const NodeId supplier = choose_supplier(block.entries[index]);
  const unsigned limit = std::min<unsigned>(ask.count, kMaxRun);
  const unsigned run = copy_run(block, index, limit, supplier, ask.from, Access::kRead);
  Transaction& t = start(block, index, Transaction::Kind::kReadCopy, ask.from, Access::kRead, ask.req, run);
  t.supplier = supplier;
  t.count = static_cast<uint16_t>(run);
  send_fetch(t, block, /*final=*/true, out);
}

// A writer without a copy: one sharer hands its bytes over, the others are invalidated beside it.
void Shard::move_from_sharer(Block& block, unsigned index, const Ask& ask, Sends& out) {
  const Entry& e = block.entries[index];
  wire::NodeSet others = holders_.get(e);
  Transaction& t = start(block, index, Transaction::Kind::kMove, ask.from, Access::kWrite, ask.req, 1);
  t.supplier = choose_supplier(e);
  others.erase(t.supplier);
  const bool alone = others.empty() || config_.mutation == Mutation::kGrantBeforeAcks;
  send_fetch(t, block, /*final=*/alone, out);
  invalidate(t, others, out);
  t.grant_after_acks = !alone;
  if (t.grant_after_acks && t.acks.empty()) {  // only a seeded bug leaves nobody to wait for
    t.grant_after_acks = false;
    send_grant(t, block, /*zero=*/false, out);
  }
}

void Shard::fetch_exclusive(Block& block, unsigned index, const Ask& ask, Sends& out) {
  const Entry& e = block.entries[index];
  const NodeId owner = holders_.any(e);
  const unsigned limit = std::min<unsigned>(ask.count, kMaxRun);
  const unsigned holes = hole_run(block, index, owner);
  // Content or hole, only the owner knows: offer a run of either kind, it takes the one that it has.
  const unsigned run = e.maybe_hole ? std::max(1u, std::min(limit, holes))
                                    : copy_run(block, index, limit, owner, ask.from, ask.access);
  const bool read = ask.access == Access::kRead;
  const bool may_move = read && !e.maybe_hole && !block.rights_stale && block.rights.allows(index, Access::kWrite) &&
                        copy_run(block, index, run, owner, ask.from, Access::kWrite) == run;
  Transaction& t = start(block, index, read ? Transaction::Kind::kReadCopy : Transaction::Kind::kMove, ask.from,
                         ask.access, ask.req, std::max(run, holes));
  t.supplier = owner;
  t.count = static_cast<uint16_t>(run);
  t.hole_count = static_cast<uint16_t>(holes);
  t.may_move = may_move;
  send_fetch(t, block, /*final=*/true, out);
}

// A copy that is not the last is just dropped. The last one moves first: a writable page as it is, one that nobody may
// write as a second read copy, after which the first is no longer the last. One that nobody may read stays.
void Shard::begin_evict(Block& block, unsigned index, const Ask& ask, Sends& out) {
  const Entry& e = block.entries[index];
  const bool owned = e.state == DirState::kExclusive || e.state == DirState::kShared;
  if (!owned || !holders_.contains(e, ask.from)) return;  // gone by another way since
  if (holders_.size(e) > 1 || config_.mutation == Mutation::kEvictDropsLastCopy) {
    wire::NodeSet leaving;
    leaving.insert(ask.from);
    Transaction& t = start(block, index, Transaction::Kind::kDiscard, Transaction::kNobody, Access::kWrite, ask.req, 1);
    t.acks = leaving;
    out.push_back({ask.from, wire::Invalidate{t.page, 1, t.id}});
    return;
  }
  if (ask.to == ask.from) return;
  if (block.rights_stale) {  // the target's rights are decided here, too
    ask_origin(block, first_page(block.number) + index, ask, out);
    return;
  }
  if (!block.rights.allows(index, Access::kRead)) return;  // nobody else may have it
  Ask move = ask;
  move.from = ask.to;
  move.req = 0;  // unasked at its target
  move.count = 1;
  const bool whole = e.state == DirState::kExclusive && block.rights.allows(index, Access::kWrite);
  move.access = whole ? Access::kWrite : Access::kRead;
  if (e.state == DirState::kExclusive) fetch_exclusive(block, index, move, out);
  else fetch_shared(block, index, move, out);
  if (!whole) {
    Transaction& t = txns_.at(record_of(block, index).txn);
    t.again = true;
    t.ask = ask;
  }
}

}  // namespace dsm::pagedir
