// SPDX-License-Identifier: Apache-2.0
// What comes back for a request: bytes, permissions, refusals; and pages that come unasked.
#include <algorithm>

#include "libdsm/base/check.h"
#include "libdsm/coherence/cache_controller.h"

namespace dsm::coherence {

// Some page of the run has begun a newer life since the message was sent.
bool CacheController::stale(PageNo page, uint16_t count, wire::Version version) const {
  const TableBlock* b = table_.find(page.block());
  if (b == nullptr) return false;
  for (unsigned i = 0; i < count; ++i)
    if (b->pages[page.index() + i].version > version) return true;
  return false;
}

void CacheController::send_done(PageNo page, uint16_t count, Access granted, TxnId txn, bool zero, bool deferred, Actions& out) {
  to_shard(page, wire::Done{page, count, granted, txn, zero, deferred}, out);
}

// Whether the message is a possible answer: pages that are not here, in a run that was asked for. Holes may be more than
// that, and unasked pages are given to make room elsewhere or to bring them home.
bool CacheController::expects(const wire::Data& m, const Pending* p) const {
  if (m.count == 0 || m.page.index() + m.count > kPagesPerBlock) return false;
  if (m.req != 0) {
    if (p == nullptr || p->page != m.page || p->has_data) return false;
    if (!m.zero && m.count > p->count) return false;
    if (p->access == Access::kWrite && m.granted != Access::kWrite) return false;
  }
  if (!m.final && (m.count != 1 || m.zero || m.granted != Access::kWrite || m.req == 0)) return false;
  const TableBlock* b = table_.find(m.page.block());
  if (b == nullptr) return m.req == 0 && !is_origin();
  for (unsigned i = 0; i < m.count; ++i)
    if (b->pages[m.page.index() + i].state != PageState::kInvalid) return false;
  return true;
}

bool CacheController::accepts_payload(const wire::Envelope& e) const {
  const wire::Data* m = std::get_if<wire::Data>(&e.message);
  return m != nullptr && !m->zero && current(m->page, m->txn) && expects(*m, pending_.find(m->req)) &&
         !stale(m->page, m->count, m->version);
}

void CacheController::take(NodeId src, const wire::Data& m, TimeNs now, Actions& out) {
  if (!current(m.page, m.txn)) {
    ++counters_.stale_discarded;
    return;
  }
  Pending* p = pending_.find(m.req);
  if (!expects(m, p)) return error(src, "data that was not asked for", out);
  if (TableBlock* block = table_.find(m.page.block()))  // a listing may have seen its bytes on their way in
    for (unsigned i = 0; i < m.count; ++i) block->native.clear(m.page.index() + i);
  if (stale(m.page, m.count, m.version)) {
    ++counters_.stale_discarded;
    if (p != nullptr) retire(*p, {m.page, 0}, out);
    send_done(m.page, 0, m.granted, m.txn, m.zero, m.deferred, out);
    return;
  }
  if (m.final) {
    install(m, p, now, out);
    return;
  }
  out.push_back(InstallPayload{m.page, 1});
  ++counters_.pages_in;
  p->has_data = true;
  p->version = m.version;
  p->txn = m.txn;
  p->deferred = m.deferred;
  if (p->has_grant) complete_move(*p, now, out);
}

void CacheController::install(const wire::Data& m, Pending* p, TimeNs now, Actions& out) {
  if (m.zero) {
    install_holes(m.page, m.count, m.granted, m.txn, m.version, p, now, out);
    send_done(m.page, m.count, m.granted, m.txn, true, m.deferred, out);
    return;
  }
  TableBlock& block = table_.make(m.page.block());
  bool wanted = false, to_write = p == nullptr || p->access == Access::kWrite;
  if (p != nullptr)
    for (const FaultWaiter& w : p->waiters)
      if (PageRange{m.page, m.count}.contains(w.page)) wanted = true, to_write = to_write || w.access == Access::kWrite;
  for (unsigned i = 0; i < m.count; ++i) {
    PageEntry& e = block.pages[m.page.index() + i];
    e.state = m.granted == Access::kRead ? PageState::kShared : PageState::kExclusive;
    e.txn = m.txn;
    e.version = m.version;
    e.mapped = wanted;
    e.ahead = p != nullptr && !wanted;
    if (m.granted == Access::kRead) e.migration.came_as_copy();
    else if (to_write) e.migration.came_for_writer();
  }
  if (m.granted == Access::kWrite && !to_write) to_write = came_for_reader(m.page, m.count);
  counters_.pages_in += m.count;
  out.push_back(InstallPayload{m.page, m.count});
  if (wanted) out.push_back(MapPages{m.page, m.count, to_write ? m.granted : Access::kRead});
  if (p != nullptr) {
    counters_.prefetched += m.count - (wanted ? 1 : 0);
    for (const FaultWaiter& w : p->waiters)
      if (PageRange{m.page, m.count}.contains(w.page)) note_use(w.page, w.thread, now);
    retire(*p, {m.page, m.count}, out);
  }
  send_done(m.page, m.count, m.granted, m.txn, false, m.deferred, out);
}

// Pages came whole for a reader. True: they may all be mapped writable; else the first write to each is looked at.
bool CacheController::came_for_reader(PageNo page, uint16_t count) {
  TableBlock& block = *table_.find(page.block());
  bool writable = true;
  for (uint16_t i = 0; i < count; ++i) writable &= block.at(page + i).migration.came_for_reader();
  if (!writable)
    for (uint16_t i = 0; i < count; ++i) block.at(page + i).migration.look_at_first_write();
  return writable;
}

// Untouched memory: for writing an extent of holes, for reading one read-only zero page after the other.
void CacheController::install_holes(PageNo page, uint16_t count, Access granted, TxnId txn, wire::Version version,
                                    Pending* p, TimeNs now, Actions& out) {
  TableBlock& block = table_.make(page.block());
  const bool write = granted == Access::kWrite;
  for (unsigned i = 0; i < count; ++i) {
    PageEntry& e = block.pages[page.index() + i];
    e.state = write ? PageState::kHole : PageState::kShared;
    e.txn = txn;
    e.version = version;
    e.mapped = !write;
    e.ahead = 0;
    block.native.clear(page.index() + i);
    if (!write && (p == nullptr || e.pending != PendingTable::slot_of(p->req))) forget_waiters(page + i, e);
  }
  ++counters_.extents;
  counters_.extent_pages += count;
  if (!write) out.push_back(ZeroFill{page, count, Access::kRead});
  if (p == nullptr) return;
  const std::vector<FaultWaiter> waiters = std::move(p->waiters);  // filling forgets those that it wakes
  p->waiters.clear();
  for (const FaultWaiter& w : waiters) {
    if (!PageRange{page, count}.contains(w.page)) p->waiters.push_back(w);
    else if (block.at(w.page).state == PageState::kHole) fill_zero(w.page, w.thread, now, out);
    else note_use(w.page, w.thread, now);
  }
  retire(*p, {page, count}, out);
}

// The request is over; `served` is what it brought. Threads that wait for other pages of it look again.
void CacheController::retire(Pending& p, PageRange served, Actions& out) {
  TableBlock& block = *table_.find(p.page.block());
  const uint16_t slot = PendingTable::slot_of(p.req);
  for (unsigned i = 0; i < p.count; ++i) {
    PageEntry& e = block.pages[p.page.index() + i];
    if (e.pending == slot) e.pending = PageEntry::kNoPending;
  }
  if (config_.mutation != Mutation::kFollowerNotWoken)
    for (const FaultWaiter& w : p.waiters)
      if (!served.contains(w.page)) out.push_back(Wake{w.page});
  for (const FaultWaiter& w : p.waiters) threads_[w.thread.value].waiting = false;
  pending_.remove(p);
}

void CacheController::take(NodeId src, const wire::Grant& m, TimeNs now, Actions& out) {
  if (!current(m.page, m.txn)) {
    ++counters_.stale_discarded;
    return;
  }
  if (!from_shard(src, m.page)) return error(src, "grant from a node that is not the shard's host", out);
  Pending* p = pending_.find(m.req);
  if (p == nullptr || p->page != m.page || m.count == 0 || m.page.index() + m.count > kPagesPerBlock)
    return error(src, "grant that was not asked for", out);
  TableBlock& block = *table_.find(m.page.block());
  if (m.zero) {
    for (unsigned i = 0; i < m.count; ++i)
      if (block.pages[m.page.index() + i].state != PageState::kInvalid) return error(src, "extent over pages that are held", out);
    if (stale(m.page, m.count, m.version)) return error(src, "extent of an older life", out);
    install_holes(m.page, m.count, m.access, m.txn, m.version, p, now, out);
    send_done(m.page, m.count, m.access, m.txn, true, false, out);
    return;
  }
  if (m.count != 1) {
    upgrade(m, *p, now, out);
    return;
  }
  PageEntry& e = block.at(m.page);
  if (e.state == PageState::kInvalid && block.native.test(m.page.index()) && !p->has_data) {  // ours since before a grant
    e.state = PageState::kExclusive;
    block.native.clear(m.page.index());
  }
  if (e.state != PageState::kInvalid) {
    gain(m, e, *p, now, out);
    return;
  }
  if (m.access != Access::kWrite || p->has_grant) return error(src, "grant without the bytes", out);
  p->has_grant = true;
  if (p->has_data && p->txn != m.txn) return error(src, "grant of another transaction", out);
  if (p->has_data) complete_move(*p, now, out);
}

// Rights for a page that is here.
void CacheController::gain(const wire::Grant& m, PageEntry& e, Pending& p, TimeNs now, Actions& out) {
  const bool upgrade = e.state == PageState::kShared && m.access == Access::kWrite;
  e.txn = m.txn;
  if (e.state == PageState::kHole && p.waiters.empty()) {  // whoever asked was served by an extent
    retire(p, {m.page, 1}, out);
    send_done(m.page, 1, m.access, m.txn, true, false, out);
    return;
  }
  if (e.state == PageState::kHole) {
    const ThreadId first = p.waiters.front().thread;
    fill_zero(m.page, first, now, out);
  } else if (upgrade) {
    e.state = PageState::kExclusive;
    e.migration.upgraded();
    if (e.mapped) out.push_back(Unprotect{m.page, 1});
    else out.push_back(MapPages{m.page, 1, Access::kWrite});
  } else {
    e.migration.written();
    out.push_back(MapPages{m.page, 1, e.state == PageState::kShared ? Access::kRead : Access::kWrite});
  }
  e.mapped = 1;
  e.ahead = 0;
  for (const FaultWaiter& w : p.waiters)
    if (w.page == m.page) note_use(m.page, w.thread, now);
  retire(p, {m.page, 1}, out);
  if (config_.mutation == Mutation::kForgottenDone && upgrade) return;
  send_done(m.page, 1, m.access, m.txn, false, false, out);
}

// Rights for a run of pages that are here for reading. Those that were fetched ahead and not touched yet stay unmapped.
void CacheController::upgrade(const wire::Grant& m, Pending& p, TimeNs now, Actions& out) {
  TableBlock& block = *table_.find(m.page.block());
  PageEntry* const first = &block.at(m.page);
  const auto shared = [](const PageEntry& e) { return e.state == PageState::kShared; };
  if (m.count > p.count || m.access != Access::kWrite || !std::all_of(first, first + m.count, shared))
    return error(map_.host_of(m.page), "grant of a run that is not shared here", out);
  for (uint16_t i = 0; i < m.count; ++i) {
    PageEntry& e = first[i];
    e.state = PageState::kExclusive;
    e.txn = m.txn;
    e.migration.upgraded();
  }
  for (uint16_t i = 0; i < m.count;) {
    uint16_t end = i;
    while (end < m.count && first[end].mapped) ++end;
    if (end != i) out.push_back(Unprotect{m.page + i, static_cast<uint16_t>(end - i)});
    i = static_cast<uint16_t>(end + 1);
  }
  for (const FaultWaiter& w : p.waiters) {
    if (!PageRange{m.page, m.count}.contains(w.page)) continue;
    PageEntry& e = block.at(w.page);
    if (!e.mapped) out.push_back(MapPages{w.page, 1, Access::kWrite});
    e.mapped = 1;
    e.ahead = 0;
    note_use(w.page, w.thread, now);
  }
  retire(p, {m.page, m.count}, out);
  send_done(m.page, m.count, Access::kWrite, m.txn, false, false, out);
}

// Bytes and permission are both here.
void CacheController::complete_move(Pending& p, TimeNs now, Actions& out) {
  PageEntry& e = *table_.find(p.page);
  DSM_CHECK(e.state == PageState::kInvalid);
  const PageNo page = p.page;
  const TxnId txn = p.txn;
  const bool deferred = p.deferred;
  e.state = PageState::kExclusive;
  e.txn = txn;
  e.version = p.version;
  e.mapped = 1;
  e.ahead = 0;
  e.migration.came_for_writer();
  out.push_back(MapPages{page, 1, Access::kWrite});
  for (const FaultWaiter& w : p.waiters)
    if (w.page == page) note_use(page, w.thread, now);
  retire(p, {page, 1}, out);
  send_done(page, 1, Access::kWrite, txn, false, deferred, out);
}

void CacheController::take(NodeId src, const wire::Refuse& m, TimeNs, Actions& out) {
  Pending* p = pending_.find(m.req);
  const bool rebuilt = links_[map_.shard_of(m.page).value].epoch > 1;
  if (rebuilt && (p == nullptr || !p->issued || !from_shard(src, m.page))) return;  // of the shard's earlier life
  if (!from_shard(src, m.page)) return error(src, "refusal from a node that is not the shard's host", out);
  if (p == nullptr || p->page != m.page) return error(src, "refusal of no request", out);
  ++counters_.refusals;
  for (const FaultWaiter& w : p->waiters)
    if (w.asked) out.push_back(RaiseFault{w.thread, w.address, m.reason});
  retire(*p, {m.page, 0}, out);
}

}  // namespace dsm::coherence
