// SPDX-License-Identifier: Apache-2.0
// Range transactions as the program sees them: what may be read while a drop runs, and what nobody may do while a recall
// is in force.
//
// Rules
//   1. While a drop runs, a page ends its life at the moment when its last copy is removed; until then its old content
//      may be read. When the drop is finished no content of the old life is mapped or kept anywhere.
//   2. From the end of a recall until it is resumed the origin has the bytes, and others may only read (RecallShared) or
//      have nothing (RecallExclusive).
#pragma once
#include <cstdint>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"
#include "tests/sim/failure.h"
#include "tests/sim/network.h"
#include "tests/sim/node_table.h"
#include "tests/sim/oracle.h"

namespace dsm::sim {

struct CopySearch {
  const NodeTable& nodes;
  const Network& network;
  bool any_copy(PageNo, Token) const;       // memfd, Sent, or under way
  bool any_content(PageNo) const;           // memfd of any node
};

class RangeWatch {
 public:
  void begin(RangeId, const PageRange&, wire::RangeOp, const Oracle&);
  void zapped(const PageRange&, const CopySearch&, Oracle&) const;
  void finish(RangeId, const CopySearch&, Oracle&, Failure&);
  void resume(RangeId);

  bool dropping(PageNo) const;
  void digest(const Oracle&, Hasher&) const;
  // Whether a recall in force forbids this access at a node other than the origin.
  bool recalled(PageNo, Access) const;

 private:
  struct Entry {
    RangeId id;
    PageRange range;
    wire::RangeOp op{};
    bool finished = false;
    std::vector<uint32_t> lives;   // kDrop: of each page of the oracle when it began
  };
  Entry* find(RangeId);
  void check_recall(const Entry&, const CopySearch&, const Oracle&, Failure&) const;
  std::vector<Entry> entries_;
};

}  // namespace dsm::sim
