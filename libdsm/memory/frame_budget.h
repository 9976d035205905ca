// SPDX-License-Identifier: Apache-2.0
// FrameBudget: how much memory a node may use for pages, which pages go when that is too much, and to whom. Pure: it owns no page,
// clock or socket; the agent tells it what it sees and asks. Owner-thread only.
//
// Marks: at the high mark eviction begins, and goes on down to the low one. Both are close to the budget, since the nodes
// together may have little more room than the program needs. A node offers others what it has below its high mark, so that what it
// takes in never makes it evict.
//
// Choice: a hand walks over the pages that the node holds, in the order of their addresses, again and again. A page on
// which a thread faulted since the hand last passed is spared once (second chance). In a first round only shared copies go, which
// are dropped at once where they are not the last; in the next rounds everything does. The directory makes sure
// that a last copy moves and is never dropped.
#pragma once
#include <bitset>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "libdsm/base/ids.h"

namespace dsm::memory {

enum class FrameKind : uint8_t {
  kCopy,      // others may have it, too
  kOwned,     // nobody else has it
  kKept,      // under way, or not ours to give
};

class FrameBudget {
 public:
  // 0 bytes: no limit.
  FrameBudget(uint64_t bytes, NodeId self, unsigned nodes);

  bool limited() const { return bytes_ != 0; }
  uint64_t bytes() const { return bytes_; }
  uint64_t high_mark() const { return bytes_ - bytes_ / 64; }
  uint64_t low_mark() const { return bytes_ - bytes_ / 32; }

  // What the node uses now.
  void set_used(uint64_t bytes);
  uint64_t used() const { return used_; }
  // No page may be added but by giving others away.
  bool full() const { return limited() && used_ >= bytes_; }
  // How many pages should go, beyond the `under_way` ones that are going.
  uint64_t pages_to_free(uint64_t under_way) const;
  // What this node can take in.
  uint64_t room() const { return used_ < high_mark() ? high_mark() - used_ : 0; }

  // What another node has said that it can take. Several may send to it at once, so each counts on its part only.
  void set_room_of(NodeId node, uint64_t bytes);
  // Some other node with room for a page, which is then taken; nothing when there is none.
  std::optional<NodeId> take_room();
  // Where a page goes that the hand takes: to this node itself, which drops it unless it is the last copy, or like take_room().
  std::optional<NodeId> target() { return copies_only_ ? self_ : take_room(); }
  bool others_have_room() const;

  // ---- The hand
  void touched(PageNo page) { touched_[page.block()].set(page.index()); }
  // The hand comes by a page: does it go?
  bool takes(PageNo page, FrameKind kind);
  // The hand has come to the end and begins again.
  void wrapped();

 private:
  uint64_t bytes_;
  NodeId self_;
  uint64_t used_ = 0;
  bool evicting_ = false;
  bool copies_only_ = true;   // the first round since eviction began
  unsigned copies_ = 0;       // that this round has found
  unsigned without_copies_ = 0;   // so many times eviction begins with everything: there were no copies to drop
  std::vector<uint64_t> room_of_;
  std::unordered_map<BlockNo, std::bitset<kPagesPerBlock>> touched_;
};

}  // namespace dsm::memory
