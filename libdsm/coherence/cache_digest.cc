// SPDX-License-Identifier: Apache-2.0
// Canonical state for the exploration: everything that can change a decision, times relative to the last event, no
// counters.
#include <algorithm>

#include "libdsm/coherence/cache_controller.h"

namespace dsm::coherence {
namespace {

void add_set(Hasher& h, const wire::NodeSet& s) {
  for (unsigned i = 0; i < wire::NodeSet::kWords; ++i) h.add(s.word(i));
}
TimeNs left(TimeNs until, TimeNs now) { return until > now ? until - now : 0; }

}  // namespace

void CacheController::digest(Hasher& out) const {
  out.add_id(request_ids(config_.self.value), pending_.next());
  for (size_t s = 0; s < links_.size(); ++s)
    if (links_[s].epoch != 1) {
      out.add(s);
      out.add(links_[s].epoch | uint64_t{links_[s].frozen} << 32 | uint64_t{map_.host_of(ShardId{static_cast<uint16_t>(s)}).value} << 40);
    }
  for (const TableBlock& b : table_.blocks()) {
    Hasher h = out.element();
    h.add(b.number.value);
    for (unsigned w = 0; w < wire::BlockBits::kWords; ++w) h.add(b.native.word(w));
    for (unsigned i = 0; i < kPagesPerBlock; ++i) {
      const PageEntry& e = b.pages[i];
      const PageUse* use = e.use == PageEntry::kNoUse ? nullptr : &uses_[e.use];
      if (e.state == PageState::kInvalid && e.pending == PageEntry::kNoPending && e.version == 0) continue;
      h.add(i);
      h.add(uint64_t(e.state) | uint64_t(e.mapped) << 8 | uint64_t(e.ahead) << 16 | uint64_t(e.version) << 32);
      h.add(e.migration.state());
      h.add_id(kTransactionIds, e.txn.value);
      if (e.state == PageState::kInvalid || use == nullptr) continue;
      h.add(static_cast<uint64_t>(use->thread.value));
      h.add(left(use->hold_until, latest_));
      h.add(use->lease.state());
      if (config_.lease.mode != LeaseMode::kOff) h.add(left(use->mapped_at + config_.lease.max_ns, latest_));
    }
    out.add_unordered(h);
  }
  pending_.for_each([&](const Pending& p) {
    Hasher h = out.element();
    h.add_id(request_ids(config_.self.value), p.req);
    h.add(p.page.value);
    h.add(uint64_t(p.count) | uint64_t(p.access) << 16 | uint64_t(p.issued) << 24 | uint64_t(p.has_data) << 25 | uint64_t(p.has_grant) << 26);
    h.add_id(kTransactionIds, p.has_data ? p.txn.value : 0);
    for (const FaultWaiter& w : p.waiters) {
      h.add(w.page.value);
      h.add(static_cast<uint64_t>(w.thread.value) << 16 | uint64_t(w.asked) << 8 | uint64_t(w.access));
    }
    out.add_unordered(h);
  });
  for (const auto& [id, t] : threads_) {
    Hasher h = out.element();
    h.add(static_cast<uint64_t>(id));
    h.add(uint64_t(t.blocked) | uint64_t(t.waiting) << 8 | uint64_t(t.lost) << 16 | uint64_t(t.losses) << 32);
    if (t.losses != 0) h.add(t.waits), h.add(t.last_wait_ns);
    for (unsigned i = 0; i < t.chained; ++i) h.add(t.chain[i].value);
    if (config_.prefetch_max > 1) h.add(t.streams.state()), h.add(t.upgrades.state());
    h.add(t.zero_next.value);
    h.add(t.zero_batch);
    out.add_unordered(h);
  }
  if (config_.prefetch_max > 1) streams_.digest(out);
  for (const auto& [page, txn] : sent_) {
    Hasher h = out.element();
    h.add(page.value);
    h.add_id(kTransactionIds, txn.value);
    out.add_unordered(h);
  }
  for (const Deferred& d : deferred_) {
    Hasher h = out.element();
    h.add(d.page.value);
    h.add(uint64_t(d.stage) | uint64_t(d.sampled_in) << 8 | uint64_t(d.by_lease) << 16 | uint64_t(d.message.index()) << 24);
    h.add(d.digest);
    h.add(left(d.look_at, latest_));
    if (config_.lease.mode != LeaseMode::kOff) h.add(left(d.arrived + config_.lease.max_ns, latest_));
    if (const auto* f = std::get_if<wire::Fetch>(&d.message)) {
      h.add_id(kTransactionIds, f->txn.value);
      h.add_id(request_ids(f->requester.value), f->req);
      h.add(uint64_t(f->access) | uint64_t(f->final) << 8 | uint64_t(f->may_move) << 9 | uint64_t(f->count) << 16 | uint64_t(f->hole_count) << 32);
      h.add(uint64_t(f->requester.value) | uint64_t(f->version) << 32);
    } else {
      const auto& m = std::get<wire::Invalidate>(d.message);
      h.add(m.page.value << 16 | m.count);
      h.add_id(kTransactionIds, m.txn.value);
    }
    out.add_unordered(h);
  }
  out.add(uint64_t(range_.phase) | uint64_t(range_.version) << 32);
  if (range_.phase != RangeState::Phase::kIdle) out.add(range_.job.id.value);
  add_set(out, range_.waiting_hosts);
  add_set(out, range_.holders);
  add_set(out, range_.waiting_holders);
  for (const auto& job : range_.queue) out.add(job.id.value);
  for (BlockNo b : range_.held_opens) out.add(b.value);
}

}  // namespace dsm::coherence
