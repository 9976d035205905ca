// SPDX-License-Identifier: Apache-2.0
// Rebuilding a lost shard from what the caches hold. A directory is soft state: every page that exists is held, or is
// on its way and still captured at its supplier (Sent). Where nobody holds a page, the Sent bytes with the highest
// transaction number are the newest; wherever somebody does, every Sent copy of it is old or not needed.
#pragma once
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"
#include "pagedir/sends.h"
#include "pagedir/shard.h"

namespace dsm::pagedir {

class Recovery {
 public:
  Recovery(ShardId shard, uint32_t epoch, const wire::NodeSet& nodes) : shard_(shard), epoch_(epoch), nodes_(nodes), missing_(nodes) {}

  void freeze(NodeId host, Sends& out) const;
  // An error text if the reporter may not say this.
  const char* on_report(NodeId src, const wire::ShardReport&);
  bool complete() const { return missing_.empty(); }
  // Fills the fresh shard and tells every cache its verdicts.
  void rebuild(Shard&, Mutation, Sends& out);
  const wire::NodeSet& missing() const { return missing_; }
  void digest(Hasher&) const;

 private:
  struct Holding {
    PageNo page;
    NodeId node;
    wire::ReportEntry::Kind kind{};
    TxnId txn{};
    wire::Version version{};
  };
  struct NodeVerdict {
    NodeId node;
    wire::Verdict verdict;
  };
  void resolve(const Holding* first, const Holding* last, Shard&, Mutation, std::vector<NodeVerdict>&) const;
  void send_verdicts(const std::vector<NodeVerdict>&, Sends& out) const;

  ShardId shard_;
  uint32_t epoch_;
  wire::NodeSet nodes_, missing_;
  wire::Version version_ = 0;
  std::vector<Holding> holdings_;
  std::vector<BlockNo> open_;
};

}  // namespace dsm::pagedir
