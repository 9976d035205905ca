// SPDX-License-Identifier: Apache-2.0
#include "pagedir/page_record.h"

#include <bit>

#include "libdsm/base/check.h"

namespace dsm::pagedir {

uint32_t RecordTable::take_slot(const Ask& ask) {
  if (free_.empty()) {
    waiters_.push_back(Waiter{ask});
    return static_cast<uint32_t>(waiters_.size() - 1);
  }
  const uint32_t i = free_.back();
  free_.pop_back();
  waiters_[i] = Waiter{ask};
  return i;
}

void RecordTable::push(PageRecord& r, const Ask& ask) {
  const uint32_t i = take_slot(ask);
  if (r.last_waiter == PageRecord::kNone) r.first_waiter = i;
  else waiters_[r.last_waiter].next = i;
  r.last_waiter = i;
}

void RecordTable::push_front(PageRecord& r, const Ask& ask) {
  const uint32_t i = take_slot(ask);
  waiters_[i].next = r.first_waiter;
  r.first_waiter = i;
  if (r.last_waiter == PageRecord::kNone) r.last_waiter = i;
}

Ask RecordTable::pop(PageRecord& r) {
  DSM_CHECK(r.first_waiter != PageRecord::kNone);
  const uint32_t i = r.first_waiter;
  r.first_waiter = waiters_[i].next;
  if (r.first_waiter == PageRecord::kNone) r.last_waiter = PageRecord::kNone;
  free_.push_back(i);
  return waiters_[i].ask;
}

unsigned RecordTable::waiters(const PageRecord& r) const {
  unsigned n = 0;
  for_each_waiter(r, [&](const Ask&) { ++n; });
  return n;
}

HotPage hot_page(const PageRecord& r) {
  HotPage h;
  h.page = r.page;
  h.moves = r.moves;
  h.reads = r.reads;
  h.writes = r.writes;
  h.bounces = r.bounces;
  h.lease_deferrals = r.lease_deferrals;
  h.writers = static_cast<unsigned>(std::popcount(r.writer_nodes));
  h.readers = static_cast<unsigned>(std::popcount(r.reader_nodes));
  h.waits = r.waits;
  h.wait_ns = r.wait_ns;
  h.last_writer = r.last_writer;
  return h;
}

}  // namespace dsm::pagedir
