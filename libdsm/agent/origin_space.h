// SPDX-License-Identifier: Apache-2.0
// OriginSpace: the origin's view of the program's address space: the address map, which blocks are open (tracked) and
// which still native, and what a directory shard may know of a block. Owner-thread only.
//
// Invariants
//  1. A kPrivate range in an open block is registered kTracked, in any other block kNative (kTracked as well where first touches
//     are counted), before its MapAdd is answered.
//  2. A block that was opened stays open: others may hold parts of it at any later time.
//  3. Pages are filled ahead of their first touch in native blocks of kPrivate ranges only, and only where there is no content.
//  4. kFileRead and kPinned ranges are never registered: the kernel serves their faults.
#pragma once
#include <algorithm>
#include <set>
#include <vector>

#include "libdsm/agent/first_touch.h"
#include "libdsm/base/ids.h"
#include "libdsm/base/result.h"
#include "libdsm/fault/fault_source.h"
#include "libdsm/memory/address_map.h"
#include "libdsm/memory/page_store.h"
#include "libdsm/wire/messages.h"

namespace dsm::agent {

class OriginSpace {
 public:
  const memory::AddressMap& map() const { return map_; }

  // 0 or -errno.
  int add(memory::MappedRange range, fault::FaultSource& source);
  void remove(uint64_t start, uint64_t length);
  enum class Change : uint8_t { kNothingLost, kWriteLost, kAllLost };
  // Says what rights any part of the range has lost.
  Change protect(uint64_t start, uint64_t length, uint32_t protection);
  // kPrivate memory of the range becomes kPinned. Until end_pin() its content is on its way to another mapping: every access
  // is an event, and nobody is to answer it. 0 or -errno.
  int begin_pin(uint64_t start, uint64_t length, fault::FaultSource& source);
  void end_pin(uint64_t start);
  bool is_moving(PageNo page) const;
  // execve: all ranges go. Open blocks stay open.
  void clear();

  // Re-registers the block so that holes in it are events from now on. 0 or -errno.
  int open(BlockNo block, fault::FaultSource& source);
  bool is_open(BlockNo block) const { return open_.contains(block); }
  bool any_open(uint64_t start, uint64_t length) const;
  // Before a write fault of a native page is answered: if it belongs to a stream of first touches, what the stream will
  // touch next is filled. 0 or -errno.
  int fill_ahead(PageNo page, const memory::PageStore& pages, fault::FaultSource& source);
  // From now on every first touch is an event, so that a budget can count it; native fills would be silent. Before any range.
  void count_first_touches() { counts_ = true; }
  // A fault of a page that is a hole in a native block, where first touches are counted: it is filled, in a stream with some
  // pages behind it. False: it is another kind of fault. *error: 0 or -errno.
  bool fill_counted(PageNo page, const memory::PageStore& pages, fault::FaultSource& source, int& error) const;
  wire::BlockInfo describe(BlockNo block, const memory::PageStore& pages) const;

  // Calls f(first, count, registered) for each piece of the run; `registered` means that the fault source serves it.
  template <class F>
  void for_each_piece(PageNo first, uint64_t count, F&& f) const;

 private:
  static int track_remainder(uint64_t start, uint64_t end, fault::FaultSource& source);
  int track_range(uint64_t start, uint64_t end, fault::FaultSource& source) const;

  int guard_fresh(PageRange fresh, fault::FaultSource& source);
  uint64_t native_run(PageNo first, uint64_t limit) const;

  memory::AddressMap map_;
  std::set<BlockNo> open_;
  FirstTouch first_touch_;
  std::vector<PageRange> moving_;   // between begin_pin() and end_pin(): few, mostly none
  bool counts_ = false;
};

template <class F>
void OriginSpace::for_each_piece(PageNo first, uint64_t count, F&& f) const {
  using memory::RangeKind;
  while (count > 0) {
    const memory::MappedRange* range = map_.find(first.address());
    uint64_t piece = range ? std::min<uint64_t>(count, (range->end - first.address()) / kPageBytes) : 1;
    f(first, piece, range != nullptr && range->kind == RangeKind::kPrivate);
    first = first + piece;
    count -= piece;
  }
}

}  // namespace dsm::agent
