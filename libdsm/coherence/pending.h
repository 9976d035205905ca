// SPDX-License-Identifier: Apache-2.0
// Requests of this node that are under way, and the threads that wait for them.
#pragma once
#include <cstdint>
#include <vector>

#include "libdsm/base/check.h"
#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"

namespace dsm::coherence {

struct FaultWaiter {
  PageNo page;
  Access access{};
  ThreadId thread;
  uint64_t address = 0;
  bool asked = false;  // the request was made for it; a refusal may be older than the access of those who joined
};

struct Pending {
  wire::RequestNo req = 0;  // 0: slot not in use
  PageNo page;
  uint16_t count = 1;
  Access access{};
  bool issued = false;      // false while its shard is being rebuilt
  bool has_data = false;    // the bytes are in the memfd, the permission is not here yet
  bool has_grant = false;   // the permission is here, the bytes are not
  wire::Version version{};
  TxnId txn{};              // of what is here
  bool deferred = false;
  std::vector<FaultWaiter> waiters;

  PageRange run() const { return {page, count}; }
};

class PendingTable {
 public:
  static constexpr unsigned kSlotBits = 16;

  // A slot with a fresh request number. Invalidates references.
  Pending& add() {
    if (free_.empty()) {
      DSM_CHECK(slots_.size() + 1 < (size_t{1} << kSlotBits));
      free_.push_back(static_cast<uint16_t>(slots_.size()));
      slots_.emplace_back();
    }
    const uint16_t slot = free_.back();
    free_.pop_back();
    Pending& p = slots_[slot];
    std::vector<FaultWaiter> waiters = std::move(p.waiters);  // keeps its storage
    waiters.clear();
    p = Pending{};
    p.waiters = std::move(waiters);
    p.req = ++sequence_ << kSlotBits | slot;
    ++active_;
    return p;
  }
  static uint16_t slot_of(wire::RequestNo req) { return static_cast<uint16_t>(req); }
  Pending* find(wire::RequestNo req) {
    const uint16_t slot = slot_of(req);
    return req != 0 && slot < slots_.size() && slots_[slot].req == req ? &slots_[slot] : nullptr;
  }
  const Pending* find(wire::RequestNo req) const { return const_cast<PendingTable*>(this)->find(req); }
  Pending& at(uint16_t slot) { return slots_[slot]; }
  void remove(Pending& p) {
    free_.push_back(slot_of(p.req));
    p.req = 0;
    --active_;
  }
  size_t active() const { return active_; }
  // Higher than that of every request so far.
  wire::RequestNo next() const { return (sequence_ + 1) << kSlotBits; }
  template <class F>
  void for_each(F&& f) {
    for (Pending& p : slots_)
      if (p.req != 0) f(p);
  }
  template <class F>
  void for_each(F&& f) const {
    for (const Pending& p : slots_)
      if (p.req != 0) f(p);
  }

 private:
  std::vector<Pending> slots_;
  std::vector<uint16_t> free_;
  uint64_t sequence_ = 0;
  size_t active_ = 0;
};

}  // namespace dsm::coherence
