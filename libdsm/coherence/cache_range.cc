// SPDX-License-Identifier: Apache-2.0
// Blocks that the origin gives up, and ranges that it ends or calls back. Everything here but RangeDrop is the origin's.
#include <algorithm>

#include "libdsm/base/check.h"
#include "libdsm/coherence/cache_controller.h"

namespace dsm::coherence {

using Phase = RangeState::Phase;

void CacheController::take(NodeId src, const wire::OpenBlock& m, TimeNs, Actions& out) {
  if (!is_origin()) return error(src, "only the origin opens blocks", out);
  if (src != map_.host_of(first_page(m.block))) return;  // of a shard that was lost since
  if (range_.touches(m.block)) range_.held_opens.push_back(m.block);
  else open_block(m.block, out);
}

void CacheController::open_block(BlockNo block, Actions& out) {
  if (links_[map_.shard_of(block).value].frozen) return;  // the rebuilt shard asks again
  const bool list_only = table_.find(block) != nullptr || config_.mutation == Mutation::kOpenWithoutRegistration;
  if (list_only) out.push_back(RefreshBlock{block});
  else out.push_back(OpenNative{block});
}

void CacheController::on_block_presence(BlockNo number, const BlockInfo& info, TimeNs now, Actions& out) {
  latest_ = now;
  DSM_CHECK(is_origin());
  if (table_.find(number) == nullptr) {
    TableBlock& block = table_.make(number);
    for (unsigned i = 0; i < kPagesPerBlock; ++i) {
      if (!info.present.test(i)) continue;
      block.pages[i].state = PageState::kExclusive;
      block.pages[i].mapped = 1;
    }
  } else {
    // File ranges that were mapped since have content without a grant.
    TableBlock& block = *table_.find(number);
    for (unsigned i = 0; i < kPagesPerBlock; ++i)
      if (info.present.test(i) && block.pages[i].state == PageState::kInvalid && block.pages[i].pending == PageEntry::kNoPending)
        block.native.set(i);
  }
  wire::BlockInfo answer = info;
  answer.block = number;
  to_shard(first_page(number), answer, out);
}

void CacheController::drop_range(RangeId id, PageRange range, RangeOp op, TimeNs now, Actions& out) {
  latest_ = now;
  DSM_CHECK(is_origin());
  range_.queue.push_back({id, range, op});
  if (range_.phase == Phase::kIdle) start_next_range(now, out);
}

void CacheController::start_next_range(TimeNs now, Actions& out) {
  while (range_.phase == Phase::kIdle && !range_.queue.empty()) {
    range_.job = range_.queue.front();
    range_.queue.pop_front();
    range_.hosts = range_.holders = range_.waiting_hosts = range_.waiting_holders = {};
    table_.for_each(range_.job.range, [&](TableBlock& b, unsigned, unsigned) { range_.hosts.insert(map_.host_of(first_page(b.number))); });
    range_.waiting_hosts = range_.hosts;
    range_.phase = Phase::kQuiescing;
    if (range_.job.op == RangeOp::kDrop) ++range_.version;
    if (range_.hosts.empty()) {  // never opened: nobody else has a page of it
      quiesced(now, out);
      continue;
    }
    range_.hosts.for_each([&](NodeId n) {
      out.push_back(Send{n, wire::RangeQuiesce{range_.job.id, range_.job.range, range_.version, range_.job.op}, NoPayload{}});
    });
  }
  // Last: a block that opens here is one that the next range must see as open, or hold back.
  std::vector<BlockNo> opens;
  opens.swap(range_.held_opens);
  for (BlockNo b : opens) {
    if (range_.touches(b)) range_.held_opens.push_back(b);
    else open_block(b, out);
  }
}

void CacheController::take(NodeId src, const wire::RangeQuiesced& m, TimeNs now, Actions& out) {
  if (!is_origin()) return error(src, "range answer that was not asked for", out);
  if (range_.phase != Phase::kQuiescing || m.id != range_.job.id) return;  // of a host that was asked twice
  if (!range_.waiting_hosts.contains(src)) return;                         // or that has lost its shards since
  range_.waiting_hosts.erase(src);
  range_.holders |= m.holders;
  if (range_.waiting_hosts.empty()) {
    quiesced(now, out);
    start_next_range(now, out);
  }
}

// Nothing is in flight in the range any more, and the recalls are done.
void CacheController::quiesced(TimeNs, Actions& out) {
  if (range_.job.op != RangeOp::kDrop) {
    range_.phase = Phase::kRecalled;
    out.push_back(RangeFinished{range_.job.id});
    return;
  }
  range_.phase = Phase::kDropping;
  drop_pages(range_.job.range, range_.version, /*everything=*/true, out);
  range_.waiting_holders = range_.holders;
  range_.waiting_holders.erase(config_.self);
  range_.waiting_holders.for_each([&](NodeId n) {
    out.push_back(Send{n, wire::RangeDrop{range_.job.id, range_.job.range, range_.version}, NoPayload{}});
  });
  if (range_.waiting_holders.empty()) end_range(out);
}

void CacheController::take(NodeId src, const wire::RangeDrop& m, TimeNs, Actions& out) {
  if (src != kOrigin) return error(src, "range drop from a node that is not the origin", out);
  drop_pages(m.range, m.version, /*everything=*/false, out);
  out.push_back(Send{kOrigin, wire::RangeDropped{m.id}, NoPayload{}});
}

// Ends the content of the range here, as far as it is older than `version`: a drop may be repeated, and come late.
// `everything`: native memory too, of which the table knows nothing; the origin also keeps the life of every page.
void CacheController::drop_pages(const PageRange& range, wire::Version version, bool everything, Actions& out) {
  if (everything) out.push_back(Zap{range.first, range.count});
  for (auto kept = sent_.begin(); kept != sent_.end();) {
    if (!range.contains(kept->first) || table_.find(kept->first)->version >= version) {
      ++kept;
      continue;
    }
    out.push_back(ForgetSent{kept->first, 1});
    kept = sent_.erase(kept);
  }
  table_.for_each(range, [&](TableBlock& b, unsigned from, unsigned to) {
    unsigned held = 0;  // pages before i that go in one Zap
    auto zap = [&](unsigned end) {
      if (held != 0 && !everything) out.push_back(Zap{first_page(b.number) + (end - held), held});
      held = 0;
    };
    for (unsigned i = from; i < to; ++i) {
      PageEntry& e = b.pages[i];
      b.native.clear(i);
      if (e.version >= version || (e.state == PageState::kInvalid && !everything)) {
        zap(i);
        continue;
      }
      ++held;
      leave(e);
      e.version = version;
    }
    zap(to);
  });
}

void CacheController::take(NodeId src, const wire::RangeDropped& m, TimeNs now, Actions& out) {
  if (!is_origin()) return error(src, "range answer that was not asked for", out);
  if (range_.phase != Phase::kDropping || m.id != range_.job.id) return;  // before a shard was lost; asked again
  range_.waiting_holders.erase(src);
  if (!range_.waiting_holders.empty()) return;
  end_range(out);
  start_next_range(now, out);
}

void CacheController::resume_range(RangeId id, TimeNs now, Actions& out) {
  latest_ = now;
  DSM_CHECK(range_.phase == Phase::kRecalled && range_.job.id == id);
  end_range(out);
  start_next_range(now, out);
}

void CacheController::end_range(Actions& out) {
  const bool drop = range_.job.op == RangeOp::kDrop;
  range_.hosts.for_each([&](NodeId n) { out.push_back(Send{n, wire::RangeResume{range_.job.id, range_.job.op}, NoPayload{}}); });
  range_.phase = Phase::kIdle;
  if (drop) out.push_back(RangeFinished{range_.job.id});
}

}  // namespace dsm::coherence
