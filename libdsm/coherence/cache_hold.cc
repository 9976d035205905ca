// SPDX-License-Identifier: Apache-2.0
// Keeping a page for a bounded time. The minimum hold lets the faulting instruction retire; it is extended, up to a
// limit that differs between nodes, while the same thread waits for another page of perhaps the same instruction. The
// lease goes beyond it, for pages that bounce while their holder really writes.
#include <algorithm>

#include "libdsm/base/check.h"
#include "libdsm/coherence/cache_controller.h"

namespace dsm::coherence {

using Stage = Deferred::Stage;

namespace {
constexpr unsigned kLossesPerRound = 4;
constexpr unsigned kMostRarer = 3;
constexpr unsigned kMostDoublings = 6;  // 20 us * 8 * 4 * 64 = 41 ms, after 24 such waits
constexpr TimeNs kCoveredWaits = 8;     // a whole instruction's
constexpr unsigned kMostLosses = 64;
constexpr unsigned kWaitsPerDraw = 8;   // long enough to collect all pages of an instruction
constexpr TimeNs kPersistence = 4;      // times max_holds
}  // namespace

PageUse* CacheController::use_of(PageNo page) {
  const PageEntry* e = table_.find(page);
  return e == nullptr || e->use == PageEntry::kNoUse ? nullptr : &uses_[e->use];
}
const PageUse* CacheController::use_of(PageNo page) const { return const_cast<CacheController*>(this)->use_of(page); }

// How long a page is kept while its thread waits for another one. At first between half of max_holds and all of it,
// rising with the node's number: of two nodes that hold what the other needs, one lets go first. When that was not enough,
// and the thread lost a page again while it waited, most threads become modest and some, by a hash, persistent: chances
// are that one of those who contend gets all that its instruction needs. Always bounded.
TimeNs CacheController::hold_limit_ns(ThreadId id, const ThreadUse& thread) const {
  const TimeNs most = config_.hold_ns * config_.max_holds;
  if (thread.losses == 0) return most * (config_.nodes + config_.self.value) / (2 * config_.nodes);
  Hasher draw;
  draw.add(uint64_t{config_.self.value} << 32 | static_cast<uint32_t>(id.value));
  draw.add(thread.waits / kWaitsPerDraw);
  // The more contend, the longer one needs for all its pages, and the fewer may persist at a time.
  const unsigned rounds = thread.losses / kLossesPerRound;
  const bool persistent = draw.value().low % (uint64_t{2} << std::min(rounds / 2, kMostRarer)) == 0;
  if (!persistent) return config_.hold_ns;
  const TimeNs by_waits = std::min(kCoveredWaits * thread.last_wait_ns, (kPersistence * most) << kMostDoublings);
  return std::max((kPersistence * most) << std::min(rounds, kMostDoublings), by_waits);
}

// The page goes, wholly or for writing.
void CacheController::note_loss(PageNo page) {
  const PageUse* use = use_of(page);
  if (use == nullptr) return;
  auto t = threads_.find(use->thread.value);
  if (t == threads_.end() || !t->second.waiting) return;
  ThreadUse& thread = t->second;
  const auto end = thread.chain.begin() + thread.chained;
  if (std::find(thread.chain.begin(), end, page) == end) return;
  if (!thread.lost) thread.losses = std::min(thread.losses + 1, kMostLosses);
  thread.lost = true;
}

// The page was mapped for the thread, which goes on.
void CacheController::note_use(PageNo page, ThreadId id, TimeNs now) {
  PageEntry& e = *table_.find(page);
  if (e.use == PageEntry::kNoUse) {
    e.use = static_cast<uint32_t>(uses_.size());
    uses_.emplace_back();
  }
  PageUse& use = uses_[e.use];
  use.thread = id;
  use.mapped_at = now;
  use.hold_until = now + config_.hold_ns;
  ThreadUse& thread = threads_[id.value];
  if (thread.waiting) thread.last_wait_ns = now - thread.waiting_since;
  thread.waiting = false;
  if (!thread.lost && thread.losses != 0) --thread.losses;
  thread.lost = false;
  const TimeNs limit_ns = hold_limit_ns(id, thread);
  unsigned kept = 0;
  for (unsigned i = 0; i < thread.chained; ++i) {
    const PageNo other = thread.chain[i];
    PageUse* held = use_of(other);
    if (other == page || held == nullptr || held->thread != id || table_.find(other)->state == PageState::kInvalid) continue;
    const bool asked_for = std::any_of(deferred_.begin(), deferred_.end(), [&](const Deferred& d) { return d.page == other; });
    if (now > held->hold_until && !asked_for) held->mapped_at = now;  // its time begins again
    held->hold_until = std::min(now, held->mapped_at + limit_ns) + config_.hold_ns;
    thread.chain[kept++] = other;
  }
  if (kept == ThreadUse::kChain) {
    std::copy(thread.chain.begin() + 1, thread.chain.end(), thread.chain.begin());
    --kept;
  }
  thread.chain[kept] = page;
  thread.chained = kept + 1;
}

// The thread needs another page: what it got within its holds stays, it may be the same instruction.
void CacheController::note_waiting(ThreadUse& thread, ThreadId id, TimeNs now) {
  thread.waiting = true;
  if (thread.losses != 0) ++thread.waits;
  const TimeNs limit_ns = hold_limit_ns(id, thread);
  unsigned kept = 0;
  for (unsigned i = 0; i < thread.chained; ++i) {
    PageUse* held = use_of(thread.chain[i]);
    if (held == nullptr || held->thread != id || now > held->hold_until) continue;
    held->hold_until = std::max(held->hold_until, held->mapped_at + limit_ns);
    thread.chain[kept++] = thread.chain[i];
  }
  thread.chained = kept;
}

bool CacheController::thread_blocked(ThreadId id) const {
  auto t = threads_.find(id.value);
  return t != threads_.end() && t->second.blocked;
}

// `leasable`: asked for by another thread's fault, for which a lease may be kept up.
bool CacheController::must_keep(PageNo page, bool leasable, TimeNs now) const {
  const PageUse* use = use_of(page);
  if (use == nullptr || thread_blocked(use->thread)) return false;
  const PageEntry& e = *table_.find(page);
  if (e.state == PageState::kHole || !e.mapped) return false;
  if (now < use->hold_until) return true;
  if (!leasable || e.state != PageState::kExclusive) return false;
  switch (config_.lease.mode) {
    case LeaseMode::kOff: return false;
    case LeaseMode::kFixed: return now < use->mapped_at + config_.lease.fixed_ns;
    case LeaseMode::kAuto: return now < use->mapped_at + use->lease.cap_ns();
  }
  return false;
}

// Not kept, but perhaps written so busily that it should be: asked at each request for the page that comes after its hold.
bool CacheController::looks_late(const wire::Fetch& m, TimeNs now) {
  PageUse* use = use_of(m.page);
  if (config_.lease.mode != LeaseMode::kAuto || m.req == 0 || use == nullptr || thread_blocked(use->thread)) return false;
  const PageEntry& e = *table_.find(m.page);
  if (e.state != PageState::kExclusive || !e.mapped || e.migration.unwritten()) return false;
  return use->lease.looks_late(config_, now - use->mapped_at);
}

void CacheController::defer(Deferred d, bool late, TimeNs now, Actions& out) {
  const PageUse& use = *use_of(d.page);
  d.arrived = now;
  if (now < use.hold_until) {
    ++counters_.holds;
  } else if (!late) {
    d.stage = Stage::kLease;
    d.look_at = now;
    if (config_.lease.mode == LeaseMode::kFixed) d.look_at = use.mapped_at + config_.lease.fixed_ns;
    d.by_lease = true;
    ++counters_.lease_deferrals;
  }
  deferred_.push_back(d);
  if (look_at(deferred_.back()) <= now) look(deferred_.back(), now, out);
}

// Whether the lease may speak: another thread's fault wants a page that is ours to write.
bool CacheController::leased(const Deferred& d, LeaseMode mode) const {
  const wire::Fetch* fetch = std::get_if<wire::Fetch>(&d.message);
  return config_.lease.mode == mode && fetch != nullptr && fetch->req != 0 &&
         table_.find(d.page)->state == PageState::kExclusive;
}

// When to act on it. Follows the hold, which other events move.
TimeNs CacheController::look_at(const Deferred& d) const {
  if (config_.mutation == Mutation::kEndlessLease) return ~TimeNs{0};
  const TimeNs hold_until = use_of(d.page)->hold_until;
  switch (d.stage) {
    case Stage::kHold: return leased(d, LeaseMode::kAuto) ? hold_until - std::min(config_.hold_ns / 4, hold_until) : hold_until;
    case Stage::kHoldEnd: return std::max(hold_until, d.look_at);
    case Stage::kLease: return d.look_at;
    case Stage::kSampling: return ~TimeNs{0};
  }
  return 0;
}

std::optional<TimeNs> CacheController::next_deadline() const {
  if (deferred_.empty()) return std::nullopt;
  TimeNs first = ~TimeNs{0};
  for (const Deferred& d : deferred_) first = std::min(first, look_at(d));
  if (first == ~TimeNs{0}) return std::nullopt;
  return first;
}

void CacheController::on_timer(TimeNs now, Actions& out) {
  latest_ = now;
  for (size_t i = 0; i < deferred_.size();) {
    const size_t before = deferred_.size();
    if (look_at(deferred_[i]) <= now) look(deferred_[i], now, out);
    if (deferred_.size() == before) ++i;
  }
}

// Time to give the page up, or to see whether it is still being written. Removes the deferral in the first case.
void CacheController::look(Deferred& d, TimeNs now, Actions& out) {
  if (leased(d, LeaseMode::kAuto)) {
    d.sampled_in = d.stage;
    d.stage = Stage::kSampling;
    out.push_back(SamplePage{d.page});
    return;
  }
  const TimeNs fixed_end = use_of(d.page)->mapped_at + config_.lease.fixed_ns;
  if (leased(d, LeaseMode::kFixed) && d.stage != Stage::kLease && now < fixed_end) {
    d.stage = Stage::kLease;
    d.look_at = fixed_end;
    d.by_lease = true;
    ++counters_.lease_deferrals;
    return;
  }
  const Deferred due = d;
  deferred_.erase(deferred_.begin() + (&d - deferred_.data()));
  carry_out(due, now, out);
}

void CacheController::on_sample(PageNo page, uint64_t digest, TimeNs now, Actions& out) {
  latest_ = now;
  auto d = std::find_if(deferred_.begin(), deferred_.end(),
                        [&](const Deferred& x) { return x.page == page && x.stage == Stage::kSampling; });
  if (d == deferred_.end() || judge(*d, digest, now)) return;
  const Deferred due = *d;
  deferred_.erase(d);
  carry_out(due, now, out);
}

// True: keep the page a while longer.
bool CacheController::judge(Deferred& d, uint64_t digest, TimeNs now) {
  PageUse& use = *use_of(d.page);
  const bool first_look = !d.has_digest;
  const bool changed = digest != d.digest;
  const TimeNs cap_end = d.arrived + use.lease.cap_ns();
  d.digest = digest;
  d.has_digest = true;
  if (first_look && d.sampled_in == Stage::kHold) {
    d.stage = Stage::kHoldEnd;
    d.look_at = now + config_.hold_ns / 4;  // a late timer must not make the two looks one
    return true;
  }
  if (first_look) {
    d.stage = Stage::kLease;
    d.look_at = now + config_.lease.sample_ns;
    return true;
  }
  if (d.sampled_in == Stage::kHoldEnd) {
    if (!changed) {
      use.lease.idle_after_hold();
      return false;
    }
    use.lease.busy_after_hold(config_, now - use.mapped_at);
    if (now >= d.arrived + use.lease.cap_ns()) return false;
    d.by_lease = true;
    ++counters_.lease_deferrals;
  } else if (!changed) {
    use.lease.wasted();
    return false;
  } else if (now >= cap_end) {
    use.lease.busy_at_cap(config_);
    return false;
  }
  d.stage = Stage::kLease;
  d.look_at = std::min(now + config_.lease.sample_ns, d.arrived + use.lease.cap_ns());
  return true;
}

void CacheController::carry_out(const Deferred& d, TimeNs now, Actions& out) {
  if (const wire::Fetch* fetch = std::get_if<wire::Fetch>(&d.message)) supply(*fetch, d.by_lease, now, out);
  else invalidate(std::get<wire::Invalidate>(d.message), d.shard_host, d.by_lease, now, out);
}

void CacheController::on_thread_blocked(ThreadId id, TimeNs now, Actions& out) {
  latest_ = now;
  auto thread = threads_.find(id.value);
  if (thread == threads_.end()) return;
  thread->second.blocked = true;
  thread->second.waiting = false;
  thread->second.chained = 0;
  for (size_t i = 0; i < deferred_.size();) {
    const PageUse* use = use_of(deferred_[i].page);
    if (use->thread != id) {
      ++i;
      continue;
    }
    const Deferred due = deferred_[i];
    deferred_.erase(deferred_.begin() + static_cast<std::ptrdiff_t>(i));
    carry_out(due, now, out);
  }
}

}  // namespace dsm::coherence
