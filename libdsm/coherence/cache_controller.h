// SPDX-License-Identifier: Apache-2.0
// One node's half of the coherence protocol: turns faults, messages and time into actions. Pure: no socket, clock,
// thread or page content. One thread calls it; it is copyable, so that an exploration can branch.
//
// Invariants
//  1. A page is mapped writable only while Exclusive, and mapped at all only while Shared or Exclusive.
//  2. The mapping is taken back before its acknowledgement or its bytes leave.
//  3. Bytes that were given up for writing are kept as Sent until the directory releases them.
//  4. At most one request of this node is under way for a page, and every waiting thread is in exactly one of them.
//  5. A fetch or an invalidation is put off for a bounded time only.
#pragma once
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/coherence/actions.h"
#include "libdsm/coherence/active_streams.h"
#include "libdsm/coherence/cache_config.h"
#include "libdsm/coherence/cache_counters.h"
#include "libdsm/coherence/deferred.h"
#include "libdsm/coherence/page_state.h"
#include "libdsm/coherence/page_table.h"
#include "libdsm/coherence/page_use.h"
#include "libdsm/coherence/pending.h"
#include "libdsm/coherence/range_state.h"
#include "libdsm/wire/hasher.h"
#include "libdsm/wire/messages.h"
#include "pagedir/shard_map.h"

namespace dsm::coherence {

using wire::BlockInfo;
using wire::RangeOp;

struct Fault {
  PageNo page;
  Access access{};
  ThreadId thread;
  uint64_t address = 0;  // exact, for the refusal
};

class CacheController {
 public:
  CacheController(const CacheConfig&, const pagedir::ShardMap&);

  // ---- Events. `now` is this node's monotonic clock in ns and never runs backwards; actions are appended to `out` and
  // must be executed in order, before the next event.
  void on_fault(const Fault&, TimeNs now, Actions& out);
  void on_message(const wire::Envelope&, TimeNs now, Actions& out);
  void on_timer(TimeNs now, Actions& out);
  void on_block_presence(BlockNo, const BlockInfo&, TimeNs now, Actions& out);
  void on_sample(PageNo, uint64_t digest, TimeNs now, Actions& out);
  // The thread is in a system call, has exited or has moved away: it makes no progress on any page.
  void on_thread_blocked(ThreadId, TimeNs now, Actions& out);
  // Origin only. RangeFinished{id} follows, at once if nobody else can hold a page of the range. Ids must be fresh.
  void drop_range(RangeId, PageRange, RangeOp, TimeNs now, Actions& out);
  // Origin only, after RangeFinished of a recall: others may have pages of the range again.
  void resume_range(RangeId, TimeNs now, Actions& out);
  // Gives the page up; a last copy moves to `to`. Nothing happens if it is not held, or is held elsewhere by then.
  void evict(PageNo, NodeId to, TimeNs now, Actions& out);

  // When on_timer must be called.
  std::optional<TimeNs> next_deadline() const;
  bool transactions_in_flight() const;

  // True if this Data would be installed if it were handled now, and its pages are unmapped here: the payload may be
  // received straight into the memfd (see InstallPayload).
  bool accepts_payload(const wire::Envelope&) const;

  PageState state_of(PageNo) const;
  bool holds_sent(PageNo) const;
  bool block_open(BlockNo) const;
  HeldPages held() const;
  // Up to `most` pages that have content here. `cursor` is where the walk goes on, 0 for its begin; it is 0 again after the last.
  std::vector<PageNo> list_held(size_t& cursor, uint64_t most) const;
  const CacheCounters& counters() const { return counters_; }
  size_t memory_bytes() const;
  void digest(Hasher&) const;

 private:
  struct ShardLink {
    uint32_t epoch = 1;
    bool frozen = false;  // being rebuilt: nothing is sent to it
  };

  // cache_fault.cc: faults of this node's threads
  void request(PageNo, uint16_t count, Access, const Fault*, Actions& out);
  void issue(Pending&, Actions& out);
  void join(Pending&, const Fault&, TimeNs now, Actions& out);
  void fetch_ahead(const Ahead&, Access, PageState from, Actions& out);
  void map_here(PageEntry&, const Fault&, TimeNs now, Actions& out);
  void fill_zero(PageNo, ThreadId, TimeNs now, Actions& out);
  void forget_waiters(PageNo, const PageEntry&);
  PageEntry& entry_of(PageNo);

  // cache_install.cc: what comes back
  void take(NodeId src, const wire::Data&, TimeNs now, Actions& out);
  void take(NodeId src, const wire::Grant&, TimeNs now, Actions& out);
  void take(NodeId src, const wire::Refuse&, TimeNs now, Actions& out);
  void install(const wire::Data&, Pending*, TimeNs now, Actions& out);
  void install_holes(PageNo, uint16_t count, Access, TxnId, wire::Version, Pending*, TimeNs now, Actions& out);
  void gain(const wire::Grant&, PageEntry&, Pending&, TimeNs now, Actions& out);
  void upgrade(const wire::Grant&, Pending&, TimeNs now, Actions& out);
  void complete_move(Pending&, TimeNs now, Actions& out);
  bool came_for_reader(PageNo, uint16_t count);
  void retire(Pending&, PageRange served, Actions& out);
  void send_done(PageNo, uint16_t count, Access, TxnId, bool zero, bool deferred, Actions& out);
  bool stale(PageNo, uint16_t count, wire::Version) const;
  bool expects(const wire::Data&, const Pending*) const;

  // cache_supply.cc: what others want
  void take(NodeId src, const wire::Fetch&, TimeNs now, Actions& out);
  void take(NodeId src, const wire::Invalidate&, TimeNs now, Actions& out);
  void take(NodeId src, const wire::Release&, TimeNs now, Actions& out);
  void supply(const wire::Fetch&, bool deferred, TimeNs now, Actions& out);
  void supply_holes(const wire::Fetch&, bool deferred, Actions& out);
  void supply_copy(const wire::Fetch&, uint16_t run, bool deferred, Actions& out);
  void supply_move(const wire::Fetch&, uint16_t run, bool deferred, Actions& out);
  uint16_t run_to_supply(const wire::Fetch&, bool migrates, TimeNs now);
  void note_lost_ahead(PageNo, const PageEntry&);
  void invalidate(const wire::Invalidate&, NodeId shard_host, bool deferred, TimeNs now, Actions& out);
  void give_up(const wire::Invalidate&, NodeId shard_host, bool deferred, Actions& out);
  void share(PageEntry&);
  void leave(PageEntry&);

  // cache_hold.cc: keeping a page for a bounded time
  void note_use(PageNo, ThreadId, TimeNs now);
  void note_waiting(ThreadUse&, ThreadId, TimeNs now);
  bool must_keep(PageNo, bool leasable, TimeNs now) const;
  bool leased(const Deferred&, LeaseMode) const;
  bool looks_late(const wire::Fetch&, TimeNs now);
  void defer(Deferred, bool late, TimeNs now, Actions& out);
  void look(Deferred&, TimeNs now, Actions& out);
  TimeNs look_at(const Deferred&) const;
  bool judge(Deferred&, uint64_t digest, TimeNs now);
  void carry_out(const Deferred&, TimeNs now, Actions& out);
  void note_loss(PageNo);
  TimeNs hold_limit_ns(ThreadId, const ThreadUse&) const;
  PageUse* use_of(PageNo);
  const PageUse* use_of(PageNo) const;
  bool thread_blocked(ThreadId) const;

  // cache_range.cc: blocks and ranges
  void take(NodeId src, const wire::OpenBlock&, TimeNs now, Actions& out);
  void take(NodeId src, const wire::RangeQuiesced&, TimeNs now, Actions& out);
  void take(NodeId src, const wire::RangeDrop&, TimeNs now, Actions& out);
  void take(NodeId src, const wire::RangeDropped&, TimeNs now, Actions& out);
  void open_block(BlockNo, Actions& out);
  void start_next_range(TimeNs now, Actions& out);
  void quiesced(TimeNs now, Actions& out);
  void end_range(Actions& out);
  void drop_pages(const PageRange&, wire::Version, bool everything, Actions& out);

  // cache_recovery.cc: a shard that is rebuilt
  void take(NodeId src, const wire::ShardFreeze&, TimeNs now, Actions& out);
  void take(NodeId src, const wire::ShardInstall&, TimeNs now, Actions& out);
  void hold_range_at(ShardId, NodeId old_host, Actions& out);
  void report(ShardId, Actions& out);
  void carry_out(const wire::Verdict&, Actions& out);

  // cache_controller.cc
  template <class M> void take(NodeId src, const M&, TimeNs now, Actions& out);
  bool current(PageNo, TxnId) const;
  bool from_shard(NodeId src, PageNo page) const { return src == map_.host_of(page); }
  bool is_origin() const { return config_.self == kOrigin; }
  void error(NodeId src, const char* what, Actions& out) const { out.push_back(ProtocolError{src, what}); }
  void to_shard(PageNo page, const wire::Message& m, Actions& out) const { out.push_back(Send{map_.host_of(page), m, NoPayload{}}); }

  CacheConfig config_;
  pagedir::ShardMap map_;
  std::vector<ShardLink> links_;  // by shard
  PageTable table_;
  PendingTable pending_;
  std::vector<PageUse> uses_;
  ThreadUses threads_;
  ActiveStreams streams_;
  std::unordered_map<PageNo, TxnId> sent_;  // bytes given up in a transaction that is not confirmed
  std::vector<Deferred> deferred_;
  RangeState range_;
  TimeNs latest_ = 0;  // time of the last event
  CacheCounters counters_;
};

}  // namespace dsm::coherence
