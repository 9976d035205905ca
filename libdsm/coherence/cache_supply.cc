// SPDX-License-Identifier: Apache-2.0
// What others want from this node: copies, pages, invalidations. The mapping always changes before anything leaves.
#include <algorithm>

#include "libdsm/base/check.h"
#include "libdsm/coherence/cache_controller.h"

namespace dsm::coherence {

void CacheController::take(NodeId src, const wire::Fetch& m, TimeNs now, Actions& out) {
  if (!current(m.page, m.txn)) {
    ++counters_.stale_discarded;
    return;
  }
  if (!from_shard(src, m.page)) return error(src, "fetch from a node that is not the shard's host", out);
  TableBlock* block = table_.find(m.page.block());
  if (block == nullptr || m.count == 0 || m.page.index() + std::max(m.count, m.hole_count) > kPagesPerBlock ||
      m.requester.value >= config_.nodes || m.requester == config_.self)
    return error(src, "fetch that no directory sends", out);
  PageEntry& e = block->at(m.page);
  if (e.state == PageState::kInvalid && block->native.test(m.page.index())) {  // content since before the block opened
    e.state = PageState::kExclusive;
    e.mapped = 1;
    block->native.clear(m.page.index());
  }
  if (e.state == PageState::kInvalid) return error(src, "fetch of a page that is not here", out);
  if (m.access == Access::kWrite && e.state == PageState::kShared && m.count != 1) return error(src, "fetch of a shared run", out);
  const bool kept = must_keep(m.page, /*leasable=*/m.req != 0, now);
  if (kept || looks_late(m, now)) {
    Deferred d;
    d.page = m.page;
    d.shard_host = src;
    d.message = m;
    defer(d, !kept, now, out);
    return;
  }
  supply(m, false, now, out);
}

void CacheController::supply(const wire::Fetch& m, bool deferred, TimeNs now, Actions& out) {
  TableBlock& block = *table_.find(m.page.block());
  const PageState first = block.at(m.page).state;
  DSM_CHECK(first == PageState::kShared || first == PageState::kExclusive || first == PageState::kHole);
  if (first == PageState::kHole) {
    supply_holes(m, deferred, out);
    return;
  }
  const bool migrates = m.access == Access::kRead && m.may_move && block.at(m.page).migration.migrates();
  const uint16_t run = run_to_supply(m, migrates, now);
  if (m.access == Access::kWrite || migrates) supply_move(m, run, deferred, out);
  else supply_copy(m, run, deferred, out);
  counters_.pages_out += run;
  if (!migrates) return;
  counters_.migrations += run;
  for (uint16_t i = 0; i < run; ++i) block.at(m.page + i).migration.handed_to_reader();
}

// How many pages go along with the one that is waited for; of pages that migrate, only others that do. What a thread of this node is going through is not for
// somebody else's guess; copies cost it nothing.
uint16_t CacheController::run_to_supply(const wire::Fetch& m, bool migrates, TimeNs now) {
  const TableBlock& block = *table_.find(m.page.block());
  auto goes_along = [&](PageNo page) {
    const PageEntry& e = block.pages[page.index()];
    if (must_keep(page, m.req != 0, now)) return false;
    if (migrates && !e.migration.migrates()) return false;
    if (e.state == PageState::kShared) return m.access == Access::kRead;
    return e.state == PageState::kExclusive && streams_.over(page, threads_) == nullptr;
  };
  uint16_t run = 1;
  while (run < m.count && goes_along(m.page + run)) ++run;
  return run;
}

// A page that was fetched ahead may leave before anybody touched it: that stream guessed too far.
void CacheController::note_lost_ahead(PageNo page, const PageEntry& e) {
  if (!e.ahead) return;
  ++counters_.prefetch_lost;
  if (Stream* stream = streams_.over(page, threads_)) stream->on_waste();
}

// Nothing was ever written: the holes themselves change hands, as many as the shard allows. Where no hole may be handed
// over, because the requester may only read, one becomes a zero page that both share.
void CacheController::supply_holes(const wire::Fetch& m, bool deferred, Actions& out) {
  TableBlock& block = *table_.find(m.page.block());
  wire::Data answer{m.page, 1, Access::kWrite, m.txn, m.req, m.version, /*zero=*/true, /*final=*/true, deferred};
  if (m.hole_count == 0 && m.access == Access::kRead) {
    PageEntry& e = block.at(m.page);
    e.state = PageState::kShared;
    e.mapped = 1;
    forget_waiters(m.page, e);
    out.push_back(ZeroFill{m.page, 1, Access::kRead});
    answer.granted = Access::kRead;
  } else {
    uint16_t run = 0;
    const unsigned most = std::max<unsigned>(1, m.hole_count);
    while (run < most && block.pages[m.page.index() + run].state == PageState::kHole) leave(block.pages[m.page.index() + run++]);
    answer.count = run;
  }
  out.push_back(Send{m.requester, answer, NoPayload{}});
}

void CacheController::supply_copy(const wire::Fetch& m, uint16_t run, bool deferred, Actions& out) {
  TableBlock& block = *table_.find(m.page.block());
  for (uint16_t i = 0; i < run;) {  // each stretch of pages that were writable
    if (block.pages[m.page.index() + i].state == PageState::kExclusive) note_loss(m.page + i);
    uint16_t end = i;
    while (end < run && block.pages[m.page.index() + end].state == PageState::kExclusive)
      share(block.pages[m.page.index() + end++]);
    if (end != i) {
      counters_.downgrades += static_cast<unsigned>(end - i);
      if (config_.mutation != Mutation::kReadKeepsOwnerWritable) out.push_back(Protect{m.page + i, static_cast<uint16_t>(end - i)});
    }
    i = static_cast<uint16_t>(end + 1);
  }
  const wire::Data answer{m.page, run, Access::kRead, m.txn, m.req, m.version, /*zero=*/false, /*final=*/true, deferred};
  out.push_back(Send{m.requester, answer, FromMemory{m.page, run}});
}

void CacheController::supply_move(const wire::Fetch& m, uint16_t run, bool deferred, Actions& out) {
  TableBlock& block = *table_.find(m.page.block());
  for (uint16_t i = 0; i < run; ++i) {
    note_loss(m.page + i);
    note_lost_ahead(m.page + i, block.pages[m.page.index() + i]);
    leave(block.pages[m.page.index() + i]);
    sent_[m.page + i] = m.txn;
  }
  out.push_back(Protect{m.page, run});
  out.push_back(CaptureSent{m.page, run});
  out.push_back(Zap{m.page, run});
  const wire::Data answer{m.page, run, Access::kWrite, m.txn, m.req, m.version, /*zero=*/false, m.final, deferred};
  out.push_back(Send{m.requester, answer, FromSent{m.page, run}});
}

// Others may have it for reading from now on.
void CacheController::share(PageEntry& e) {
  e.state = PageState::kShared;
  e.migration.shared();
}

// Its content and mapping are no longer this node's.
void CacheController::leave(PageEntry& e) {
  e.migration.left();
  e.state = PageState::kInvalid;
  e.mapped = 0;
  e.ahead = 0;
}

void CacheController::take(NodeId src, const wire::Invalidate& m, TimeNs now, Actions& out) {
  if (!current(m.page, m.txn)) {
    ++counters_.stale_discarded;
    return;
  }
  if (!from_shard(src, m.page)) return error(src, "invalidation from a node that is not the shard's host", out);
  const TableBlock* block = table_.find(m.page.block());
  for (unsigned i = 0; i < m.count; ++i)  // an owner is asked for its bytes
    if (block == nullptr || m.page.index() + i >= kPagesPerBlock || block->pages[m.page.index() + i].state != PageState::kShared)
      return error(src, "invalidation of a page that is not shared here", out);
  invalidate(m, src, false, now, out);
}

// All pages go together, when none of them has to be kept any longer.
void CacheController::invalidate(const wire::Invalidate& m, NodeId shard_host, bool deferred, TimeNs now, Actions& out) {
  for (uint16_t i = 0; i < m.count; ++i) {
    if (!must_keep(m.page + i, /*leasable=*/false, now)) continue;
    Deferred d;
    d.page = m.page + i;
    d.shard_host = shard_host;
    d.message = m;
    d.by_lease = deferred;
    defer(d, false, now, out);
    return;
  }
  give_up(m, shard_host, deferred, out);
}

void CacheController::give_up(const wire::Invalidate& m, NodeId shard_host, bool deferred, Actions& out) {
  const Send ack{shard_host, wire::InvalidateAck{m.page, m.txn, deferred}, NoPayload{}};
  if (config_.mutation == Mutation::kAckBeforeZap) {
    out.push_back(ack);
    out.push_back(Zap{m.page, m.count});
  } else {
    out.push_back(Zap{m.page, m.count});
    out.push_back(ack);
  }
  for (uint16_t i = 0; i < m.count; ++i) {
    note_loss(m.page + i);
    leave(*table_.find(m.page + i));
  }
  counters_.invalidations += m.count;
}

// A release that is not for what is kept now is late: the page came back and left again since, or was dropped.
void CacheController::take(NodeId src, const wire::Release& m, TimeNs, Actions& out) {
  if (!current(m.page, m.txn)) return;
  if (!from_shard(src, m.page)) return error(src, "release from a node that is not the shard's host", out);
  for (unsigned i = 0; i < m.count; ++i) {
    auto kept = sent_.find(m.page + i);
    if (kept == sent_.end() || kept->second != m.txn) continue;
    sent_.erase(kept);
    out.push_back(ForgetSent{m.page + i, 1});
  }
}

void CacheController::evict(PageNo page, NodeId to, TimeNs now, Actions& out) {
  latest_ = now;
  const PageState state = state_of(page);
  if (state == PageState::kInvalid || state == PageState::kHole || links_[map_.shard_of(page).value].frozen) return;
  to_shard(page, wire::Evict{page, to, 0}, out);
}

}  // namespace dsm::coherence
