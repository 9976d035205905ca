// SPDX-License-Identifier: Apache-2.0
// What this node knows of the pages that it has touched or been given, by 2 MiB block. A page of no block is Invalid, or
// at the origin Native.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/coherence/migration.h"
#include "libdsm/coherence/page_state.h"
#include "libdsm/wire/messages.h"
#include "pagedir/flat_index.h"

namespace dsm::coherence {

struct PageEntry {
  static constexpr uint32_t kNoUse = ~uint32_t{0};
  static constexpr uint16_t kNoPending = 0xffff;

  TxnId txn{};                // of the grant that brought the page
  wire::Version version = 0;  // of the page's life
  uint32_t use = kNoUse;      // PageUse, once a thread has faulted on it
  uint16_t pending = kNoPending;  // request that will bring it
  PageState state = PageState::kInvalid;
  uint8_t mapped : 1 = 0;  // as far as we know; a fault always decides
  uint8_t ahead : 1 = 0;   // came by fetch-ahead, nobody has touched it
  Migration migration;
};

struct TableBlock {
  BlockNo number;
  // Origin only: Invalid pages that had content when the block was listed last (file ranges have it without a grant).
  // A hint: only the directory's word makes it true.
  wire::BlockBits native;
  std::vector<PageEntry> pages = std::vector<PageEntry>(kPagesPerBlock);
  PageEntry& at(PageNo p) { return pages[p.index()]; }
};

class PageTable {
 public:
  TableBlock* find(BlockNo number) {
    const uint32_t i = index_.find(number.value);
    return i == FlatIndex::kNone ? nullptr : &blocks_[i];
  }
  const TableBlock* find(BlockNo number) const { return const_cast<PageTable*>(this)->find(number); }
  PageEntry* find(PageNo page) {
    TableBlock* b = find(page.block());
    return b == nullptr ? nullptr : &b->at(page);
  }
  const PageEntry* find(PageNo page) const { return const_cast<PageTable*>(this)->find(page); }
  // Invalidates references.
  TableBlock& make(BlockNo number) {
    if (TableBlock* b = find(number)) return *b;
    index_.insert(number.value, static_cast<uint32_t>(blocks_.size()));
    blocks_.emplace_back().number = number;
    return blocks_.back();
  }
  std::vector<TableBlock>& blocks() { return blocks_; }
  const std::vector<TableBlock>& blocks() const { return blocks_; }

  // Calls f(TableBlock&, first index, one past the last index) for each known block of which `range` has a part.
  template <class F>
  void for_each(const PageRange& range, F&& f) {
    if (range.count == 0) return;
    const PageNo end = range.first + (range.count - 1);
    const uint64_t first = range.first.block().value, last = end.block().value;
    auto visit = [&](TableBlock& b) {
      f(b, b.number.value == first ? range.first.index() : 0, b.number.value == last ? end.index() + 1 : kPagesPerBlock);
    };
    if (last - first < blocks_.size()) {
      for (uint64_t n = first; n <= last; ++n)
        if (TableBlock* b = find(BlockNo{n})) visit(*b);
    } else {
      for (TableBlock& b : blocks_)
        if (b.number.value >= first && b.number.value <= last) visit(b);
    }
  }

 private:
  FlatIndex index_;
  std::vector<TableBlock> blocks_;
};

}  // namespace dsm::coherence
