// SPDX-License-Identifier: Apache-2.0
// What the directory keeps of a page beside its entry, from its first transaction on: the FIFO of waiting requests, the
// transaction that began at it, and counters.
#pragma once
#include <cstdint>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"
#include "pagedir/page_view.h"

namespace dsm::pagedir {

// Something that a cache asked for.
struct Ask {
  enum class Kind : uint8_t { kRequest, kEvict };
  Kind kind = Kind::kRequest;
  Access access{};
  bool has_copy = false;
  uint16_t count = 1;
  NodeId from;
  NodeId to;  // kEvict: takes the last copy
  wire::RequestNo req{};
  TimeNs since{};
};
// Waits for an answer of the origin.
struct PendingAsk {
  PageNo page;
  Ask ask;
  bool later = false;  // came while the origin was being asked: that answer may be older, and cannot refuse it
};

struct PageRecord {
  static constexpr uint32_t kNone = ~uint32_t{0};
  PageNo page;
  uint32_t first_waiter = kNone, last_waiter = kNone;
  uint32_t txn = kNone;  // slot of the transaction whose run begins here
  NodeId last_writer;
  bool written = false;
  uint32_t bounces = 0, lease_deferrals = 0, waits = 0;
  uint32_t reads = 0, writes = 0, moves = 0;
  uint64_t wait_ns = 0;
  uint64_t writer_nodes = 0, reader_nodes = 0;  // bit node % 64
};

class RecordTable {
 public:
  PageRecord& at(uint32_t i) { return records_[i]; }
  const PageRecord& at(uint32_t i) const { return records_[i]; }
  uint32_t add(PageNo page) {
    records_.emplace_back().page = page;
    return static_cast<uint32_t>(records_.size() - 1);
  }
  void push(PageRecord&, const Ask&);
  void push_front(PageRecord&, const Ask&);
  Ask pop(PageRecord&);
  unsigned waiters(const PageRecord&) const;
  template <class F>
  void for_each_waiter(const PageRecord& r, F&& f) const {
    for (uint32_t i = r.first_waiter; i != PageRecord::kNone; i = waiters_[i].next) f(waiters_[i].ask);
  }
  const std::vector<PageRecord>& all() const { return records_; }
  size_t bytes() const { return records_.capacity() * sizeof(PageRecord) + waiters_.capacity() * sizeof(Waiter); }

 private:
  struct Waiter {
    Ask ask;
    uint32_t next = PageRecord::kNone;
  };
  uint32_t take_slot(const Ask&);
  std::vector<PageRecord> records_;
  std::vector<Waiter> waiters_;
  std::vector<uint32_t> free_;
};

HotPage hot_page(const PageRecord&);

}  // namespace dsm::pagedir
