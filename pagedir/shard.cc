// SPDX-License-Identifier: Apache-2.0
// Who may begin: requests wait for their block, for the transaction before them, and for held ranges.
#include "pagedir/shard.h"

#include "libdsm/base/check.h"

namespace dsm::pagedir {

Shard::Shard(const DirectoryConfig& config, uint32_t epoch) : config_(config), epoch_(epoch), txns_(epoch) {}

Shard::Complaint Shard::on_request(NodeId src, const wire::Request& m, TimeNs now, Sends& out) {
  if (src.value >= config_.nodes) return "request from an unknown node";
  if (m.req == 0) return "request without a number";
  Ask ask;
  ask.access = m.access;
  ask.has_copy = m.has_copy;
  ask.count = m.count;
  ask.from = src;
  ask.req = m.req;
  ask.since = now;
  submit(m.page, ask, now, out);
  return nullptr;
}

Shard::Complaint Shard::on_evict(NodeId src, const wire::Evict& m, TimeNs now, Sends& out) {
  if (src.value >= config_.nodes || m.to.value >= config_.nodes) return "eviction from or to an unknown node";
  const Block* block = blocks_.find(m.page.block());
  const bool open = block != nullptr && block->phase == Block::Phase::kOpen;
  if (!open && src != kOrigin) return nullptr;  // nobody else holds a page of it
  Ask ask;
  ask.kind = Ask::Kind::kEvict;
  ask.from = src;
  ask.to = m.to;
  ask.req = m.req;
  ask.since = now;
  submit(m.page, ask, now, out);
  return nullptr;
}

bool Shard::held(PageNo page) const {
  for (const HeldRange& r : ranges_)
    if (r.range.contains(page)) return true;
  return false;
}

void Shard::submit(PageNo page, const Ask& ask, TimeNs now, Sends& out) {
  Block* block = blocks_.find(page.block());
  if (block == nullptr) block = &blocks_.add(page.block());
  if (block->phase == Block::Phase::kOpening) {
    ask_origin(*block, page, ask, out);
    return;
  }
  const Entry& e = block->entries[page.index()];
  if (e.busy || e.waiting || held(page)) {
    enqueue(*block, page.index(), ask);
    return;
  }
  begin(*block, page.index(), ask, /*fresh=*/false, now, out);
}

PageRecord& Shard::record_of(Block& block, unsigned index) {
  Entry& e = block.entries[index];
  if (e.record == Entry::kNoRecord) e.record = records_.add(first_page(block.number) + index);
  return records_.at(e.record);
}

void Shard::enqueue(Block& block, unsigned index, const Ask& ask) {
  PageRecord& record = record_of(block, index);
  Entry& e = block.entries[index];
  if (config_.mutation == Mutation::kLostWaiter && e.waiting) return;
  records_.push(record, ask);
  e.waiting = 1;
}

// Takes waiters off the FIFO until one of them makes the page busy.
void Shard::serve_waiters(Block& block, unsigned index, TimeNs now, Sends& out) {
  const PageNo page = first_page(block.number) + index;
  while (true) {
    Entry& e = block.entries[index];
    if (!e.waiting || e.busy || held(page)) return;
    PageRecord& record = records_.at(e.record);
    const Ask ask = records_.pop(record);
    if (record.first_waiter == PageRecord::kNone) e.waiting = 0;
    ++record.waits;
    if (now > ask.since) record.wait_ns += now - ask.since;
    begin(block, index, ask, /*fresh=*/false, now, out);
  }
}

// The page is idle. `fresh`: the rights were asked for after the request came.
void Shard::begin(Block& block, unsigned index, const Ask& ask, bool fresh, TimeNs, Sends& out) {
  if (ask.kind == Ask::Kind::kEvict) {
    begin_evict(block, index, ask, out);
    return;
  }
  const PageNo page = first_page(block.number) + index;
  if (block.rights_stale || !block.rights.allows(index, ask.access)) {
    if (!fresh || block.rights_stale) {
      ask_origin(block, page, ask, out);
    } else {
      out.push_back({ask.from, wire::Refuse{page, ask.req, block.rights.reason(index)}});
    }
    return;
  }
  begin_request(block, index, ask, out);
}

// `ask` waits for what the origin's address map says.
void Shard::ask_origin(Block& block, PageNo page, const Ask& ask, Sends& out) {
  block.asking.push_back({page, ask, /*later=*/block.asked});
  if (block.asked) return;
  block.asked = true;
  out.push_back({kOrigin, wire::OpenBlock{block.number}});
}

Shard::Complaint Shard::on_block_info(NodeId src, const wire::BlockInfo& m, TimeNs now, Sends& out) {
  if (src != kOrigin) return "block info from a node that is not the origin";
  Block* block = blocks_.find(m.block);
  if (block == nullptr || !block->asked) return nullptr;  // asked for by a shard that was lost since
  block->asked = false;
  block->rights = BlockRights{m.readable, m.writable, m.pinned, m.mapped, m.beyond_file};
  block->rights_stale = false;
  if (block->phase == Block::Phase::kOpening) {
    block->entries.resize(kPagesPerBlock);
    block->phase = Block::Phase::kOpen;
  }
  // A page that is Untouched here while the origin has content: file pages of a range that was mapped since. The
  // channel from the origin is FIFO, so no drop of the page can lie between its answer and this.
  for (unsigned i = 0; i < kPagesPerBlock; ++i) {
    Entry& e = block->entries[i];
    if (!m.present.test(i) || e.state != DirState::kUntouched || e.busy) continue;
    e.state = DirState::kExclusive;
    holders_.set_only(e, kOrigin);
  }
  std::vector<PendingAsk> asking;
  asking.swap(block->asking);
  for (const PendingAsk& p : asking) {
    const unsigned index = p.page.index();
    const Entry& e = block->entries[index];
    const bool refused = p.ask.kind == Ask::Kind::kRequest && !p.later && !block->rights.allows(index, p.ask.access);
    const bool waits = held(p.page) || ((e.busy || e.waiting) && !refused);
    if (waits) enqueue(*block, index, p.ask);
    else begin(*block, index, p.ask, /*fresh=*/!p.later, now, out);
  }
  return nullptr;
}

}  // namespace dsm::pagedir
