// SPDX-License-Identifier: Apache-2.0
// The directory shards that one node hosts, and the rebuilding of lost ones. Pure: no socket, clock or thread; one
// thread calls it. docs/protocol.md has the transactions.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/hasher.h"
#include "libdsm/wire/messages.h"
#include "pagedir/mutation.h"
#include "pagedir/page_view.h"
#include "pagedir/recovery.h"
#include "pagedir/sends.h"
#include "pagedir/shard.h"
#include "pagedir/shard_map.h"

namespace dsm::pagedir {

class DirectoryService {
 public:
  DirectoryService(const DirectoryConfig&, const ShardMap&);

  // The returned error means that envelope.src said what it cannot have said; nothing was changed by it.
  [[nodiscard]] std::optional<wire::ProtocolError> on_message(const wire::Envelope&, TimeNs now, Sends& out);

  // Takes over a shard whose host is lost (or starts it anew here): freezes every node's cache for it, collects what
  // they hold, and rebuilds it. `epoch` must be higher than every earlier one of the shard (they start at 1); `nodes`
  // are those that are alive.
  void adopt(ShardId, uint32_t epoch, const wire::NodeSet& nodes, TimeNs now, Sends& out);
  // Forgets a shard without a word, as a crash would.
  void forget(ShardId);
  bool rebuilding(ShardId) const;

  // The n pages that moved most, most first.
  std::vector<HotPage> hottest(size_t n) const;
  // Of a page whose shard is hosted here.
  PageView view(PageNo) const;
  bool hosts(ShardId) const;
  bool idle() const;  // no transaction, waiter or range is open
  size_t memory_bytes() const;
  uint64_t tracked_pages() const;
  // Of all shards here: who writes the Shared pages into a checkpoint. Only while idle() and nothing is rebuilt.
  std::vector<CutShare> cut_shares() const;
  void digest(Hasher&) const;

 private:
  using Complaint = Shard::Complaint;
  struct Hosted {
    ShardId id;
    Shard shard;
    std::optional<Recovery> recovery;  // while it is being rebuilt
  };
  struct Range {
    wire::RangeQuiesce message;
    bool answered = false;
  };
  Hosted* find(ShardId);
  const Hosted* find(ShardId) const;
  Shard* serving(PageNo page);
  Hosted& host(ShardId, uint32_t epoch);
  Complaint dispatch(const wire::Envelope&, TimeNs now, Sends& out);
  Complaint on_report(NodeId src, const wire::ShardReport&, TimeNs now, Sends& out);
  Complaint on_range_quiesce(NodeId src, const wire::RangeQuiesce&, TimeNs now, Sends& out);
  Complaint on_range_resume(NodeId src, const wire::RangeResume&, TimeNs now, Sends& out);
  void answer_quiet_ranges(Sends& out);

  DirectoryConfig config_;
  ShardMap map_;  // for the hash; what is hosted here is hosted_
  std::vector<Hosted> hosted_;
  std::vector<uint16_t> slot_;  // by shard number: 1 + index into hosted_, 0: not here
  std::vector<Range> ranges_;
};

}  // namespace dsm::pagedir
