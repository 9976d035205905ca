// SPDX-License-Identifier: Apache-2.0
// One shard of the page-location directory. It serialises what happens to each page: one transaction at a time, first
// come first served. Pure and copyable; one thread calls it. docs/protocol.md has the message diagrams.
//
// Invariants
//  1. A page is busy from the first message of a transaction that covers it until that transaction ends.
//  2. The holders of an entry contain every node that has the page mapped or may get a message that maps it.
//  3. A request waits only in the FIFO of its own page, or for the block to be opened: nobody waits for two things.
//  4. While a range is held, no transaction but its own recalls begins in it.
//  5. Only an answer of the origin that is younger than the request refuses it.
#pragma once
#include <optional>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/hasher.h"
#include "libdsm/wire/messages.h"
#include "pagedir/block.h"
#include "pagedir/cut_share.h"
#include "pagedir/page_view.h"
#include "pagedir/sends.h"
#include "pagedir/transaction.h"

namespace dsm::pagedir {

class Shard {
 public:
  // nullptr, or what the sender did that it cannot have done; nothing is changed then.
  using Complaint = const char*;

  Shard(const DirectoryConfig&, uint32_t epoch);

  // ---- Messages
  Complaint on_request(NodeId src, const wire::Request&, TimeNs now, Sends& out);
  Complaint on_evict(NodeId src, const wire::Evict&, TimeNs now, Sends& out);
  Complaint on_done(NodeId src, const wire::Done&, TimeNs now, Sends& out);
  Complaint on_ack(NodeId src, const wire::InvalidateAck&, TimeNs now, Sends& out);
  Complaint take(NodeId src, const wire::Request& m, TimeNs now, Sends& out) { return on_request(src, m, now, out); }
  Complaint take(NodeId src, const wire::Evict& m, TimeNs now, Sends& out) { return on_evict(src, m, now, out); }
  Complaint take(NodeId src, const wire::Done& m, TimeNs now, Sends& out) { return on_done(src, m, now, out); }
  Complaint take(NodeId src, const wire::InvalidateAck& m, TimeNs now, Sends& out) { return on_ack(src, m, now, out); }
  Complaint on_block_info(NodeId src, const wire::BlockInfo&, TimeNs now, Sends& out);

  // ---- Range transactions. A range is held from begin_range to end_range; it is quiet when nothing is in flight in it
  // and its recalls, if any, are done.
  void begin_range(const wire::RangeQuiesce&, TimeNs now, Sends& out);
  bool has_range(RangeId) const;
  bool range_quiet(RangeId) const;
  wire::NodeSet range_holders(RangeId) const;
  void end_range(RangeId, TimeNs now, Sends& out);

  // ---- Rebuilding: states of pages in a shard that has not served anything yet.
  void restore_block(BlockNo, wire::Version);
  void restore_page(PageNo, DirState, const wire::NodeSet& holders, wire::Version, bool maybe_hole);
  uint32_t epoch() const { return epoch_; }

  // ---- Questions
  PageView view(PageNo) const;
  bool idle() const;
  uint64_t tracked_pages() const;
  size_t memory_bytes() const;
  void add_hot_pages(std::vector<HotPage>&) const;
  void digest(Hasher&) const;
  // Who writes the Shared pages into a checkpoint. Only while idle().
  void add_cut_shares(std::vector<CutShare>&) const;

  // Higher than that of every transaction so far.
  TxnId next_transaction() const { return txns_.next(); }

 private:
  // Pages that one transaction may cover unless it grants an extent.
  static constexpr unsigned kMaxRun = 64;
  static constexpr unsigned kMaxRecalls = 32;

  struct HeldRange {
    RangeId id;
    PageRange range;
    wire::Version version{};
    wire::RangeOp op{};
    bool quiet = false;
    unsigned recalls = 0;       // in flight
    std::vector<BlockNo> todo;  // blocks still to be recalled
    unsigned next_index = 0;    // in the last of them
  };

  // shard.cc: who may begin
  void submit(PageNo, const Ask&, TimeNs now, Sends& out);
  void enqueue(Block&, unsigned index, const Ask&);
  void serve_waiters(Block&, unsigned index, TimeNs now, Sends& out);
  void begin(Block&, unsigned index, const Ask&, bool fresh, TimeNs now, Sends& out);
  void ask_origin(Block&, PageNo, const Ask&, Sends& out);
  bool held(PageNo) const;
  PageRecord& record_of(Block&, unsigned index);

  // shard_begin.cc: what a request sets off
  void begin_request(Block&, unsigned index, const Ask&, Sends& out);
  void begin_evict(Block&, unsigned index, const Ask&, Sends& out);
  void grant_extent(Block&, unsigned index, const Ask&, Sends& out);
  void grant_upgrade(Block&, unsigned index, const Ask&, Sends& out);
  void fetch_shared(Block&, unsigned index, const Ask&, Sends& out);
  void move_from_sharer(Block&, unsigned index, const Ask&, Sends& out);
  void fetch_exclusive(Block&, unsigned index, const Ask&, Sends& out);
  Transaction& start(Block&, unsigned index, Transaction::Kind, NodeId requester, Access, wire::RequestNo, unsigned marked);
  void send_fetch(const Transaction&, const Block&, bool final, Sends& out);
  void send_grant(const Transaction&, const Block&, bool zero, Sends& out);
  void invalidate(Transaction&, const wire::NodeSet&, Sends& out);
  unsigned copy_run(const Block&, unsigned index, unsigned limit, NodeId supplier, NodeId requester, Access) const;
  unsigned hole_run(const Block&, unsigned index, NodeId owner) const;
  unsigned upgrade_run(const Block&, unsigned index, const Ask&) const;
  bool idle_at(const Block&, unsigned index) const;
  NodeId choose_supplier(const Entry&);

  // shard_finish.cc: how it ends
  Transaction* find(PageNo, TxnId, uint32_t* slot);
  Complaint check_done(const Transaction&, NodeId src, const wire::Done&) const;
  void apply_done(const Transaction&, const wire::Done&, Block&);
  void finish(Block&, unsigned index, uint32_t slot, TimeNs now, Sends& out);
  void count_done(const Transaction&, const wire::Done&, PageRecord&);

  // shard_range.cc
  void advance_range(HeldRange&, Sends& out);
  void advance_ranges(Sends& out);
  bool recall(HeldRange&, Block&, unsigned index, Sends& out);
  HeldRange* find_range(RangeId);
  const HeldRange* find_range(RangeId) const;

  DirectoryConfig config_;
  uint32_t epoch_;
  BlockTable blocks_;
  HolderPool holders_;
  RecordTable records_;
  TransactionTable txns_;
  std::vector<HeldRange> ranges_;
  unsigned rotate_ = 0;  // next supplier among equals
};

}  // namespace dsm::pagedir
