// SPDX-License-Identifier: Apache-2.0
// The strong types that everything above speaks in. Values only; no behaviour beyond arithmetic that cannot be wrong.
#pragma once
#include <compare>
#include <cstdint>
#include <functional>

namespace dsm {

inline constexpr uint64_t kPageBytes = 4096;
inline constexpr unsigned kPagesPerBlock = 512;
inline constexpr unsigned kMaxNodes = 256;

template <class Tag, class Rep>
struct StrongId {
  Rep value{};
  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
};

using NodeId = StrongId<struct NodeTag, uint16_t>;
using ThreadId = StrongId<struct ThreadTag, int32_t>;   // a kernel tid on its own node
using ShardId = StrongId<struct ShardTag, uint16_t>;
using TxnId = StrongId<struct TxnTag, uint64_t>;        // unique per shard, rising; shard epoch in the top bits
using RangeId = StrongId<struct RangeTag, uint64_t>;
using BlockNo = StrongId<struct BlockTag, uint64_t>;    // address >> 21

inline constexpr NodeId kOrigin{0};

// A page by its number in the address space (address >> 12).
struct PageNo {
  uint64_t value{};
  friend constexpr auto operator<=>(const PageNo&, const PageNo&) = default;
  constexpr uint64_t address() const { return value * kPageBytes; }
  constexpr BlockNo block() const { return BlockNo{value / kPagesPerBlock}; }
  constexpr unsigned index() const { return static_cast<unsigned>(value % kPagesPerBlock); }
  constexpr PageNo operator+(uint64_t n) const { return PageNo{value + n}; }
};
constexpr PageNo page_of(uint64_t address) { return PageNo{address / kPageBytes}; }
constexpr PageNo first_page(BlockNo b) { return PageNo{b.value * kPagesPerBlock}; }

struct PageRange {
  PageNo first;
  uint64_t count{};
  constexpr bool contains(PageNo p) const { return p.value - first.value < count; }
  friend constexpr bool operator==(const PageRange&, const PageRange&) = default;
};

// Nanoseconds of this node's CLOCK_MONOTONIC; never compared across nodes.
using TimeNs = uint64_t;

enum class Access : uint8_t { kRead = 1, kWrite = 2 };

}  // namespace dsm

template <class Tag, class Rep>
struct std::hash<dsm::StrongId<Tag, Rep>> {
  size_t operator()(const dsm::StrongId<Tag, Rep>& id) const noexcept { return std::hash<Rep>{}(id.value); }
};
template <>
struct std::hash<dsm::PageNo> {
  size_t operator()(const dsm::PageNo& p) const noexcept { return p.value * 0x9e3779b97f4a7c15u; }
};
