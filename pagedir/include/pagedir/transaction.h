// SPDX-License-Identifier: Apache-2.0
// A transaction of a shard: from the first message that it sends about a run of pages to the requester's Done (or, where
// no requester is involved, the last acknowledgement).
#pragma once
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"
#include "pagedir/page_record.h"

namespace dsm::pagedir {

struct Transaction {
  enum class Kind : uint8_t {
    kFree,      // slot not in use
    kExtent,    // Grant of untouched pages; ends with Done
    kUpgrade,   // Grant to a node that has the bytes, after the acknowledgements; ends with Done
    kReadCopy,  // Fetch for reading; ends with Done
    kMove,      // Fetch for writing, and with sharers left Invalidates and a Grant; ends with Done
    kDiscard,   // Invalidates only; ends with the last acknowledgement
  };
  static constexpr NodeId kNobody{0xffff};

  TxnId id{};
  Kind kind = Kind::kFree;
  Access access{};
  uint16_t count = 1;       // asked for
  uint16_t hole_count = 0;  // offered if they are holes
  uint16_t marked = 1;      // pages that are busy for it
  PageNo page;
  NodeId requester = kNobody;
  NodeId supplier = kNobody;
  wire::RequestNo req{};
  wire::NodeSet acks;       // sharers that have not acknowledged
  bool may_move = false;     // a read that the supplier may answer by handing the pages over
  bool grant_after_acks = false;
  bool deferred = false;    // a lease made it wait
  bool again = false;       // go on with `ask` when it ends
  Ask ask;
  RangeId recall{};         // range that it works for, if `is_recall`
  bool is_recall = false;
};

class TransactionTable {
 public:
  explicit TransactionTable(uint32_t epoch) : next_(uint64_t{epoch} << wire::kTxnEpochShift) {}
  // Invalidates references to transactions.
  uint32_t add() {
    uint32_t slot = static_cast<uint32_t>(slots_.size());
    if (free_.empty()) {
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot] = Transaction{};
    slots_[slot].id = TxnId{++next_};
    ++active_;
    return slot;
  }
  void remove(uint32_t slot) {
    slots_[slot].kind = Transaction::Kind::kFree;
    free_.push_back(slot);
    --active_;
  }
  Transaction& at(uint32_t slot) { return slots_[slot]; }
  size_t active() const { return active_; }
  TxnId next() const { return TxnId{next_ + 1}; }
  template <class F>
  void for_each(F&& f) const {
    for (const Transaction& t : slots_)
      if (t.kind != Transaction::Kind::kFree) f(t);
  }

 private:
  uint64_t next_;
  size_t active_ = 0;
  std::vector<Transaction> slots_;
  std::vector<uint32_t> free_;
};

}  // namespace dsm::pagedir
