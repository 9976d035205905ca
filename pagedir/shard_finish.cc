// SPDX-License-Identifier: Apache-2.0
// How transactions end: acknowledgements, the requester's Done, and what the entries say afterwards.
#include "libdsm/base/check.h"
#include "pagedir/shard.h"

namespace dsm::pagedir {

using Kind = Transaction::Kind;

Transaction* Shard::find(PageNo page, TxnId id, uint32_t* slot) {
  const Block* block = blocks_.find(page.block());
  if (block == nullptr || block->phase != Block::Phase::kOpen) return nullptr;
  const Entry& e = block->entries[page.index()];
  if (!e.busy || e.record == Entry::kNoRecord) return nullptr;
  *slot = records_.at(e.record).txn;
  if (*slot == PageRecord::kNone) return nullptr;
  Transaction& t = txns_.at(*slot);
  return t.id == id && t.kind != Kind::kFree ? &t : nullptr;
}

Shard::Complaint Shard::on_ack(NodeId src, const wire::InvalidateAck& m, TimeNs now, Sends& out) {
  if (wire::epoch_of(m.txn) < epoch_) return nullptr;  // of the shard's earlier life
  uint32_t slot = 0;
  Transaction* t = find(m.page, m.txn, &slot);
  if (t == nullptr || !t->acks.contains(src)) {
    // A seeded bug lets a writer finish before the acknowledgements come; they are late then, not wrong.
    if (config_.mutation == Mutation::kGrantBeforeAcks) return nullptr;
    return "acknowledgement that nobody waits for";
  }
  t->acks.erase(src);
  t->deferred = t->deferred || m.deferred;
  if (!t->acks.empty()) return nullptr;
  Block& block = *blocks_.find(m.page.block());
  if (t->kind == Kind::kDiscard) {
    Entry& e = block.entries[m.page.index()];
    if (t->is_recall) {
      holders_.set_only(e, kOrigin);
    } else {
      holders_.remove(e, src);
      if (holders_.size(e) == 0) e.state = DirState::kUntouched;  // only after a seeded bug
    }
    finish(block, m.page.index(), slot, now, out);
  } else if (t->grant_after_acks) {
    t->grant_after_acks = false;
    send_grant(*t, block, /*zero=*/false, out);
  }
  return nullptr;
}

Shard::Complaint Shard::check_done(const Transaction& t, NodeId src, const wire::Done& m) const {
  if (src != t.requester) return "done from a node that did not ask";
  if (!t.acks.empty() && config_.mutation != Mutation::kGrantBeforeAcks) return "done before it was granted";
  const bool hole_handed_over = t.supplier != Transaction::kNobody && m.zero && m.granted == Access::kWrite;
  const unsigned limit = hole_handed_over ? std::max(t.hole_count, t.count)
                         : t.supplier != Transaction::kNobody ? t.count : t.marked;
  if (m.count > limit) return "done with more pages than the run has";
  if (m.count == 0 && t.kind != Kind::kReadCopy) return "done without the pages that were given";
  const bool moved = t.may_move && m.granted == Access::kWrite && !m.zero;
  if (m.count == 0 && moved) return "done without the page that was handed over";
  if (m.count != 0 && m.granted != t.access && !moved && !(hole_handed_over && t.hole_count != 0)) return "done with other rights than granted";
  return nullptr;
}

Shard::Complaint Shard::on_done(NodeId src, const wire::Done& m, TimeNs now, Sends& out) {
  if (wire::epoch_of(m.txn) < epoch_) return nullptr;
  uint32_t slot = 0;
  Transaction* t = find(m.page, m.txn, &slot);
  if (t == nullptr) return "done of no transaction";
  if (Complaint complaint = check_done(*t, src, m)) return complaint;
  Block& block = *blocks_.find(m.page.block());
  apply_done(*t, m, block);
  count_done(*t, m, records_.at(block.entries[m.page.index()].record));
  const bool moved = !m.zero && (t->kind == Kind::kMove || (t->may_move && m.granted == Access::kWrite));
  if (moved && config_.mutation != Mutation::kEarlyRelease)
    out.push_back({t->supplier, wire::Release{m.page, m.count, t->id}});
  if (moved) block.suppliers.insert(t->supplier);
  finish(block, m.page.index(), slot, now, out);
  return nullptr;
}

void Shard::apply_done(const Transaction& t, const wire::Done& m, Block& block) {
  const unsigned first = m.page.index();
  if (t.kind == Kind::kExtent && config_.mutation == Mutation::kExtentTwice) return;
  const bool hole = m.zero && m.granted == Access::kWrite;
  for (unsigned i = first; i < first + m.count; ++i) {
    Entry& e = block.entries[i];
    e.maybe_hole = hole;
    if (m.granted == Access::kRead && e.state != DirState::kUntouched) {
      e.state = DirState::kShared;
      holders_.add(e, t.requester);
    } else {
      e.state = m.granted == Access::kRead ? DirState::kShared : DirState::kExclusive;
      holders_.set_only(e, t.requester);
    }
  }
  if (m.count != 0) return;
  // The requester has thrown a read copy away, but the owner may have downgraded for it: Shared by the owner alone
  // covers both.
  for (unsigned i = first; i < first + t.count; ++i)
    if (block.entries[i].state == DirState::kExclusive) block.entries[i].state = DirState::kShared;
}

void Shard::count_done(const Transaction& t, const wire::Done& m, PageRecord& record) {
  const uint64_t bit = uint64_t{1} << (t.requester.value % 64);
  if (m.granted == Access::kRead) {
    ++record.reads;
    record.reader_nodes |= bit;
  } else {
    ++record.writes;
    record.writer_nodes |= bit;
    if (record.written && record.last_writer != t.requester) ++record.bounces;
    record.written = true;
    record.last_writer = t.requester;
  }
  if (t.supplier != Transaction::kNobody && !m.zero && m.count != 0) ++record.moves;
  if (t.deferred || m.deferred) ++record.lease_deferrals;
}

void Shard::finish(Block& block, unsigned index, uint32_t slot, TimeNs now, Sends& out) {
  const Transaction t = txns_.at(slot);
  for (unsigned i = index; i < index + t.marked; ++i) block.entries[i].busy = 0;
  records_.at(block.entries[index].record).txn = PageRecord::kNone;
  txns_.remove(slot);
  if (t.is_recall) {
    HeldRange* range = find_range(t.recall);
    if (range != nullptr) {
      --range->recalls;
      for (unsigned i = index; i < index + t.marked; ++i)
        if (!block.entries[i].busy) recall(*range, block, i, out);
    }
  }
  if (!ranges_.empty()) advance_ranges(out);
  if (t.again) {
    const PageNo page = first_page(block.number) + index;
    if (block.entries[index].busy || held(page)) {
      records_.push_front(record_of(block, index), t.ask);
      block.entries[index].waiting = 1;
    } else {
      begin(block, index, t.ask, /*fresh=*/false, now, out);
    }
  }
  for (unsigned i = index; i < index + t.marked; ++i)
    if (block.entries[i].waiting) serve_waiters(block, i, now, out);
}

}  // namespace dsm::pagedir
