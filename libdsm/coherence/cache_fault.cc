// SPDX-License-Identifier: Apache-2.0
// Faults of this node's threads: resolved here if this node may, else one request to the page's shard.
#include <algorithm>

#include "libdsm/coherence/cache_controller.h"
#include "libdsm/wire/decode_bounds.h"

namespace dsm::coherence {

PageEntry& CacheController::entry_of(PageNo page) { return table_.make(page.block()).at(page); }

void CacheController::on_fault(const Fault& f, TimeNs now, Actions& out) {
  latest_ = now;
  TableBlock* block = table_.find(f.page.block());
  if (block == nullptr && is_origin()) {  // native: content is here, only the mapping is missing
    ++counters_.local_faults;
    out.push_back(MapPages{f.page, 1, Access::kWrite});
    return;
  }
  ThreadUse& thread = threads_[f.thread.value];
  thread.blocked = false;
  PageEntry& e = entry_of(f.page);
  const bool enough = e.state == PageState::kExclusive || (e.state == PageState::kShared && f.access == Access::kRead);
  if (enough) {
    ++counters_.local_faults;
    map_here(e, f, now, out);
    return;
  }
  if (e.state == PageState::kHole) {
    ++counters_.local_faults;
    fill_zero(f.page, f.thread, now, out);
    return;
  }
  if (e.pending != PageEntry::kNoPending) {
    join(pending_.at(e.pending), f, now, out);
    return;
  }
  if (e.state == PageState::kShared) ++counters_.upgrade_faults;
  else ++(f.access == Access::kRead ? counters_.read_faults : counters_.write_faults);
  note_waiting(thread, f.thread, now);
  const PageState from = e.state;
  ThreadStreams& streams = from == PageState::kShared ? thread.upgrades : thread.streams;
  const Ahead ahead = streams.on_miss(f.page, f.access, config_.prefetch_max);
  if (ahead.count > 1 && from == PageState::kInvalid) streams_.note(f.thread);
  request(f.page, ahead.count, f.access, &f, out);
  fetch_ahead(ahead, f.access, from, out);
}

// Asks for as much of [page, page+count) as is in the state of the first, and not under way.
void CacheController::request(PageNo page, uint16_t count, Access access, const Fault* fault, Actions& out) {
  TableBlock& block = table_.make(page.block());
  unsigned run = 1;
  const PageState from = block.at(page).state;
  auto alike = [&](unsigned i) { return block.pages[i].state == from && block.pages[i].pending == PageEntry::kNoPending; };
  while (run < count && page.index() + run < kPagesPerBlock && alike(page.index() + run)) ++run;
  Pending& p = pending_.add();
  p.page = page;
  p.count = static_cast<uint16_t>(run);
  p.access = access;
  if (fault != nullptr) p.waiters.push_back({fault->page, fault->access, fault->thread, fault->address, /*asked=*/true});
  for (unsigned i = 0; i < run; ++i) block.pages[page.index() + i].pending = PendingTable::slot_of(p.req);
  issue(p, out);
}

void CacheController::issue(Pending& p, Actions& out) {
  if (links_[map_.shard_of(p.page).value].frozen) return;
  p.issued = true;
  ++counters_.requests;
  const PageEntry* e = table_.find(p.page);
  to_shard(p.page, wire::Request{p.page, p.count, p.access, e->state == PageState::kShared, p.req}, out);
}

void CacheController::join(Pending& p, const Fault& f, TimeNs now, Actions& out) {
  ++counters_.follower_joins;
  ThreadUse& thread = threads_[f.thread.value];
  note_waiting(thread, f.thread, now);
  const bool was_ahead = p.waiters.empty();
  p.waiters.push_back({f.page, f.access, f.thread, f.address});
  if (!was_ahead || state_of(f.page) == PageState::kShared) return;
  counters_.prefetch_used += p.count;
  const Access access = p.access;
  fetch_ahead(thread.streams.on_ahead(f.page, access, config_.prefetch_max), access, PageState::kInvalid, out);
}

// Pages that are `from`: not here, or here for reading only.
void CacheController::fetch_ahead(const Ahead& ahead, Access access, PageState from, Actions& out) {
  if (ahead.next_count == 0) return;
  if (!wire::good_page(ahead.next)) return;  // the stream leads out of the address space: up from the stack, down to zero
  if (is_origin() && table_.find(ahead.next.block()) == nullptr) return;  // native
  const PageEntry& e = entry_of(ahead.next);
  if (e.state != from || e.pending != PageEntry::kNoPending) return;
  request(ahead.next, ahead.next_count, access, nullptr, out);
}

// The page is here with the rights that the fault wants. Pages that came by fetch-ahead are mapped as a run.
void CacheController::map_here(PageEntry& e, const Fault& f, TimeNs now, Actions& out) {
  const bool first_write = e.migration.unwritten() && f.access == Access::kWrite;
  if (first_write) e.migration.written();
  if (first_write && e.mapped) {
    out.push_back(Unprotect{f.page, 1});
    return;
  }
  const Access access = e.state == PageState::kShared || e.migration.unwritten() ? Access::kRead : Access::kWrite;
  const bool fresh = !e.mapped;
  const bool was_ahead = e.ahead;
  TableBlock& block = *table_.find(f.page.block());
  unsigned run = 0;
  for (unsigned i = f.page.index(); i < kPagesPerBlock; ++i, ++run) {
    PageEntry& other = block.pages[i];
    const bool alike = other.ahead && other.state == e.state && other.migration.unwritten() == e.migration.unwritten();
    if (run != 0 && (!was_ahead || !alike)) break;
    if (other.ahead) ++counters_.prefetch_used;
    forget_waiters(f.page + run, other);
    other.ahead = 0;
    other.mapped = 1;
  }
  out.push_back(MapPages{f.page, static_cast<uint16_t>(run), access});
  if (fresh) note_use(f.page, f.thread, now);
  if (was_ahead) {
    ThreadUse& thread = threads_[f.thread.value];
    fetch_ahead(thread.streams.on_ahead(f.page, access, config_.prefetch_max), access, PageState::kInvalid, out);
  }
}

// The page is mapped by another way than the request that is under way for it: those who wait wake, and what the request
// brings is not about them any more.
void CacheController::forget_waiters(PageNo page, const PageEntry& e) {
  if (e.pending == PageEntry::kNoPending) return;
  std::erase_if(pending_.at(e.pending).waiters, [&](const FaultWaiter& w) {
    if (w.page == page) threads_[w.thread.value].waiting = false;
    return w.page == page;
  });
}

// First touch of a hole that is ours: fills what the thread will probably touch next, too.
void CacheController::fill_zero(PageNo page, ThreadId id, TimeNs now, Actions& out) {
  ThreadUse& thread = threads_[id.value];
  const bool along = page == thread.zero_next && thread.zero_batch != 0;
  const unsigned batch = along ? std::min<unsigned>(thread.zero_batch * 2u, config_.zero_batch_max) : 1u;
  TableBlock& block = *table_.find(page.block());
  unsigned run = 0;
  while (run < batch && page.index() + run < kPagesPerBlock && block.pages[page.index() + run].state == PageState::kHole) {
    PageEntry& e = block.pages[page.index() + run];
    e.state = PageState::kExclusive;
    e.mapped = 1;
    forget_waiters(page + run, e);
    ++run;
  }
  thread.zero_batch = static_cast<uint16_t>(batch);
  thread.zero_next = page + run;
  counters_.zero_filled += run;
  out.push_back(ZeroFill{page, static_cast<uint16_t>(run), Access::kWrite});
  note_use(page, id, now);
}

}  // namespace dsm::coherence
