// SPDX-License-Identifier: Apache-2.0
// Questions about a shard's state, and putting state back while it is rebuilt.
#include "libdsm/base/check.h"
#include "pagedir/shard.h"

namespace dsm::pagedir {

void Shard::restore_block(BlockNo number, wire::Version version) {
  DSM_CHECK(blocks_.find(number) == nullptr);
  Block& b = blocks_.add(number);
  b.phase = Block::Phase::kOpen;
  b.rights_stale = true;
  b.entries.resize(kPagesPerBlock);
  for (Entry& e : b.entries) e.version = version;
}

void Shard::restore_page(PageNo page, DirState state, const wire::NodeSet& nodes, wire::Version version, bool maybe_hole) {
  Block* b = blocks_.find(page.block());
  DSM_CHECK(b != nullptr);
  Entry& e = b->entries[page.index()];
  e.state = state;
  e.maybe_hole = maybe_hole;
  e.version = std::max(e.version, version);
  holders_.set(e, nodes);
}

PageView Shard::view(PageNo page) const {
  PageView v;
  const Block* b = blocks_.find(page.block());
  if (b == nullptr) return v;
  if (b->phase != Block::Phase::kOpen) {
    for (const PendingAsk& p : b->asking) v.waiters += p.page == page;
    return v;
  }
  const Entry& e = b->entries[page.index()];
  v.state = e.state;
  v.holders = holders_.get(e);
  v.version = e.version;
  v.busy = e.busy;
  if (e.record != Entry::kNoRecord) v.waiters = records_.waiters(records_.at(e.record));
  for (const PendingAsk& p : b->asking) v.waiters += p.page == page;
  return v;
}

bool Shard::idle() const {
  if (txns_.active() != 0 || !ranges_.empty()) return false;
  for (size_t i = 0; i < blocks_.size(); ++i)
    if (blocks_.at(i).asked || !blocks_.at(i).asking.empty()) return false;
  for (const PageRecord& r : records_.all())
    if (r.first_waiter != PageRecord::kNone) return false;
  return true;
}

uint64_t Shard::tracked_pages() const {
  uint64_t n = 0;
  for (size_t i = 0; i < blocks_.size(); ++i) n += blocks_.at(i).entries.size();
  return n;
}

size_t BlockTable::bytes() const {
  size_t n = index_.bytes() + blocks_.capacity() * sizeof(Block);
  for (const Block& b : blocks_) n += b.entries.capacity() * sizeof(Entry);
  return n;
}

size_t Shard::memory_bytes() const { return sizeof *this + blocks_.bytes() + holders_.bytes() + records_.bytes(); }

void Shard::add_hot_pages(std::vector<HotPage>& out) const {
  for (const PageRecord& r : records_.all())
    if (r.reads + r.writes != 0) out.push_back(hot_page(r));
}

namespace {

void add_set(Hasher& h, const wire::NodeSet& s) {
  for (unsigned i = 0; i < wire::NodeSet::kWords; ++i) h.add(s.word(i));
}
void add_ask(Hasher& h, const Ask& a) {
  h.add(uint64_t(a.kind) | uint64_t(a.access) << 8 | uint64_t(a.has_copy) << 16 | uint64_t(a.count) << 32);
  h.add(uint64_t(a.from.value) | uint64_t(a.to.value) << 16);
  h.add_id(request_ids(a.from.value), a.req);
}
// Entries that say nothing beyond "untouched since birth" are left out, so that a large block costs little.
bool plain(const Entry& e) {
  return e.state == DirState::kUntouched && e.holders == 0 && !e.busy && !e.waiting && e.version == 0;
}

}  // namespace

void Shard::digest(Hasher& out) const {
  out.add(epoch_);
  out.add(rotate_);
  for (size_t n = 0; n < blocks_.size(); ++n) {
    const Block& b = blocks_.at(n);
    Hasher h = out.element();
    h.add(b.number.value);
    add_set(h, b.suppliers);
    h.add(uint64_t(b.phase) | uint64_t(b.asked) << 8 | uint64_t(b.rights_stale) << 16);
    for (unsigned w = 0; w < wire::BlockBits::kWords; ++w) {
      h.add(b.rights.readable.word(w));
      h.add(b.rights.writable.word(w));
      h.add(b.rights.pinned.word(w));
    }
    for (const PendingAsk& p : b.asking) {
      h.add(p.page.value << 1 | p.later);
      add_ask(h, p.ask);
    }
    for (unsigned i = 0; i < b.entries.size(); ++i) {
      const Entry& e = b.entries[i];
      if (plain(e)) continue;
      h.add(i);
      h.add(uint64_t(e.state) | uint64_t(e.busy) << 8 | uint64_t(e.maybe_hole) << 16 | uint64_t(e.version) << 32);
      add_set(h, holders_.get(e));
      if (e.waiting) records_.for_each_waiter(records_.at(e.record), [&](const Ask& a) { add_ask(h, a); });
    }
    out.add_unordered(h);
  }
  txns_.for_each([&](const Transaction& t) {
    Hasher h = out.element();
    h.add_id(kTransactionIds, t.id.value);
    h.add(uint64_t(t.kind) | uint64_t(t.access) << 8 | uint64_t(t.grant_after_acks) << 16 | uint64_t(t.may_move) << 17 | uint64_t(t.again) << 24 |
          uint64_t(t.is_recall) << 32);
    h.add(uint64_t(t.count) | uint64_t(t.hole_count) << 16 | uint64_t(t.marked) << 32);
    h.add(t.page.value);
    h.add(uint64_t(t.requester.value) | uint64_t(t.supplier.value) << 16);
    h.add_id(request_ids(t.requester.value), t.req);
    h.add(t.recall.value);
    add_set(h, t.acks);
    add_ask(h, t.ask);
    out.add_unordered(h);
  });
  for (const HeldRange& r : ranges_) {
    out.add(r.id.value);
    out.add(r.range.first.value);
    out.add(r.range.count);
    out.add(uint64_t(r.version) | uint64_t(r.op) << 32 | uint64_t(r.quiet) << 40);
    out.add(r.recalls | uint64_t(r.next_index) << 32);
    for (BlockNo b : r.todo) out.add(b.value);
  }
}

}  // namespace dsm::pagedir
