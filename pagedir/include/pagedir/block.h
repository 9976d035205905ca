// SPDX-License-Identifier: Apache-2.0
// A 2 MiB block that a shard has heard of. One that it has not is native: the origin's, contents unknown.
#pragma once
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"
#include "pagedir/entry.h"
#include "pagedir/flat_index.h"
#include "pagedir/page_record.h"

namespace dsm::pagedir {

// What the origin's address map said when it was asked last. Only a fresh answer may refuse.
struct BlockRights {
  wire::BlockBits readable, writable, pinned, mapped, beyond_file;

  bool allows(unsigned index, Access access) const {
    return !pinned.test(index) && (access == Access::kRead ? readable : writable).test(index);
  }
  wire::RefuseReason reason(unsigned index) const {
    if (pinned.test(index)) return wire::RefuseReason::kPinned;
    if (beyond_file.test(index)) return wire::RefuseReason::kBusError;
    return mapped.test(index) || readable.test(index) ? wire::RefuseReason::kProtection : wire::RefuseReason::kUnmapped;
  }
};

struct Block {
  enum class Phase : uint8_t {
    kOpening,  // OpenBlock is under way; everything waits in `asking`
    kOpen,     // entries are there
  };
  BlockNo number;
  Phase phase = Phase::kOpening;
  bool asked = false;         // an OpenBlock is under way
  bool rights_stale = false;  // a range transaction touched it: ask before the next grant
  BlockRights rights;
  // Nodes that gave a page away for writing. They may still keep its bytes as Sent, so a drop must tell them, too.
  wire::NodeSet suppliers;
  std::vector<Entry> entries;             // 512 once open
  std::vector<PendingAsk> asking;         // wait for the BlockInfo
};

class BlockTable {
 public:
  Block* find(BlockNo number) {
    const uint32_t i = index_.find(number.value);
    return i == FlatIndex::kNone ? nullptr : &blocks_[i];
  }
  const Block* find(BlockNo number) const { return const_cast<BlockTable*>(this)->find(number); }
  // Invalidates references to blocks.
  Block& add(BlockNo number) {
    index_.insert(number.value, static_cast<uint32_t>(blocks_.size()));
    blocks_.emplace_back().number = number;
    return blocks_.back();
  }
  size_t size() const { return blocks_.size(); }
  Block& at(size_t i) { return blocks_[i]; }
  const Block& at(size_t i) const { return blocks_[i]; }
  size_t bytes() const;

  // Calls f(Block&, first index, one past the last index) for each open block of which `range` has a part.
  template <class F>
  void for_each_open(const PageRange& range, F&& f) {
    if (range.count == 0) return;
    const uint64_t first = range.first.block().value, last = (range.first + (range.count - 1)).block().value;
    auto visit = [&](Block& b) {
      if (b.phase != Block::Phase::kOpen) return;
      const unsigned from = b.number.value == first ? range.first.index() : 0;
      const unsigned to = b.number.value == last ? (range.first + (range.count - 1)).index() + 1 : kPagesPerBlock;
      f(b, from, to);
    };
    if (last - first < blocks_.size()) {
      for (uint64_t n = first; n <= last; ++n)
        if (Block* b = find(BlockNo{n})) visit(*b);
    } else {
      for (Block& b : blocks_)
        if (b.number.value >= first && b.number.value <= last) visit(b);
    }
  }

 private:
  FlatIndex index_;
  std::vector<Block> blocks_;
};

}  // namespace dsm::pagedir
