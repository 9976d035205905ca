// SPDX-License-Identifier: Apache-2.0
// The directory's 16 bytes for each page of an open block. Up to six holders stand in the entry itself; larger sets are
// in the shard's HolderPool, so that reading everywhere costs memory only where it happens.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"
#include "pagedir/page_view.h"

namespace dsm::pagedir {

struct Entry {
  static constexpr unsigned kInline = 6;
  static constexpr uint8_t kPooled = 0xff;
  static constexpr uint32_t kNoRecord = ~uint32_t{0};

  DirState state : 4 = DirState::kUntouched;
  uint8_t busy : 1 = 0;        // a transaction covers it
  uint8_t waiting : 1 = 0;     // its record has waiters
  uint8_t maybe_hole : 1 = 0;  // granted as part of an extent, content not seen since
  uint8_t holders = 0;         // how many in ids, or kPooled: ids hold the number of a pooled set
  std::array<uint8_t, kInline> ids{};
  wire::Version version = 0;
  uint32_t record = kNoRecord;  // PageRecord, once a transaction began at it
};
static_assert(sizeof(Entry) == 16);

class HolderPool {
 public:
  bool contains(const Entry&, NodeId) const;
  bool only(const Entry& e, NodeId n) const { return e.holders == 1 && e.ids[0] == n.value; }
  unsigned size(const Entry&) const;
  NodeId any(const Entry& e) const { return nth(e, 0); }
  NodeId nth(const Entry&, unsigned n) const;
  wire::NodeSet get(const Entry&) const;
  void add(Entry&, NodeId);
  void remove(Entry&, NodeId);
  void set_only(Entry&, NodeId);
  void set(Entry&, const wire::NodeSet&);
  void clear(Entry&);
  size_t bytes() const { return pool_.capacity() * sizeof(wire::NodeSet); }

 private:
  static uint32_t number(const Entry&);
  std::vector<wire::NodeSet> pool_;
  std::vector<uint32_t> free_;
};

}  // namespace dsm::pagedir
