// SPDX-License-Identifier: Apache-2.0
// 128-bit digest of protocol state for the exhaustive exploration. Not cryptographic. Containers without an order are
// added by add_unordered(), one digest an element.
//
// Numbers that only ever rise (transactions, requests) would make every state new. They are added by add_id() and count
// by their order alone: in a first pass IdRanks collects them, in a second each is replaced by its rank.
#pragma once
#include <algorithm>
#include <compare>
#include <cstdint>
#include <vector>

namespace dsm {

class Hasher {
 public:
  struct Value {
    uint64_t low = 0, high = 0;
    friend constexpr auto operator<=>(const Value&, const Value&) = default;
  };
  constexpr void add(uint64_t v) {
    a_ = mix((a_ ^ v) * 0x9e3779b97f4a7c15u);
    b_ = mix((b_ + v) * 0xc2b2ae3d27d4eb4fu + 0x165667b19e3779f9u);
  }
  Hasher() = default;
  explicit Hasher(class IdRanks* ids) : ids_(ids) {}
  // For one element of an unordered container.
  Hasher element() const { return Hasher(ids_); }
  // `space`: whose numbers they are. 0 is no number.
  void add_id(uint64_t space, uint64_t id);
  constexpr void add_unordered(const Hasher& element) {
    unordered_low_ += mix(element.value().low);
    unordered_high_ ^= mix(element.value().high) * 0xff51afd7ed558ccdu;
  }
  constexpr Value value() const {
    return {mix(a_ + unordered_low_ * 0x9e3779b97f4a7c15u), mix(b_ ^ (unordered_high_ + 0x94d049bb133111ebu * unordered_low_))};
  }

 private:
  static constexpr uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
  uint64_t a_ = 0x243f6a8885a308d3u, b_ = 0x13198a2e03707344u;
  uint64_t unordered_low_ = 0, unordered_high_ = 0;
  class IdRanks* ids_ = nullptr;
};

// The numbers in one digest. Used twice: collect, then seal() and rank.
class IdRanks {
 public:
  struct Id {
    uint64_t space = 0, id = 0;
    friend constexpr auto operator<=>(const Id&, const Id&) = default;
  };
  bool sealed() const { return sealed_; }
  void collect(const Id& id) { ids_.push_back(id); }
  void seal() {
    std::sort(ids_.begin(), ids_.end());
    ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
    sealed_ = true;
  }
  uint64_t rank(const Id& id) const {
    return static_cast<uint64_t>(std::lower_bound(ids_.begin(), ids_.end(), id) - ids_.begin());
  }
  // Sorted and distinct once sealed.
  const std::vector<Id>& ids() const { return ids_; }

 private:
  std::vector<Id> ids_;
  bool sealed_ = false;
};

inline void Hasher::add_id(uint64_t space, uint64_t id) {
  if (ids_ == nullptr || id == 0) return add(id);
  if (!ids_->sealed()) return ids_->collect({space, id});
  add(~ids_->rank({space, id}));
}

// Spaces of numbers.
inline constexpr uint64_t kTransactionIds = 0;
constexpr uint64_t request_ids(uint16_t node) { return 1 + uint64_t{node}; }

}  // namespace dsm
