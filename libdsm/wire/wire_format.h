// SPDX-License-Identifier: Apache-2.0
// The byte form of every message: a Header, then the fields in the order given here, little-endian, unpadded. The sizes
// are asserted, so that nobody changes the format without noticing. A new message gets a new Kind; kinds are never reused.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "libdsm/wire/messages.h"

namespace dsm::wire::format {

enum class Kind : uint8_t {
  kRequest = 1, kFetch = 2, kData = 3, kInvalidate = 4, kInvalidateAck = 5, kGrant = 6, kDone = 7, kRelease = 8,
  kRefuse = 9, kEvict = 10, kOpenBlock = 11, kBlockInfo = 12, kRangeQuiesce = 13, kRangeQuiesced = 14, kRangeDrop = 15,
  kRangeDropped = 16, kRangeResume = 17, kShardFreeze = 18, kShardReport = 19, kShardInstall = 20,
};

// Kind u8, format version u8, source u16, destination u16, length of the whole u16.
inline constexpr size_t kHeaderBytes = 8;
inline constexpr uint8_t kFormatVersion = 1;

template <class M> struct KindOf;
#define DSM_WIRE_KIND(name) template <> struct KindOf<name> { static constexpr Kind value = Kind::k##name; }
DSM_WIRE_KIND(Request); DSM_WIRE_KIND(Fetch); DSM_WIRE_KIND(Data); DSM_WIRE_KIND(Invalidate); DSM_WIRE_KIND(InvalidateAck);
DSM_WIRE_KIND(Grant); DSM_WIRE_KIND(Done); DSM_WIRE_KIND(Release); DSM_WIRE_KIND(Refuse); DSM_WIRE_KIND(Evict);
DSM_WIRE_KIND(OpenBlock); DSM_WIRE_KIND(BlockInfo); DSM_WIRE_KIND(RangeQuiesce); DSM_WIRE_KIND(RangeQuiesced);
DSM_WIRE_KIND(RangeDrop); DSM_WIRE_KIND(RangeDropped); DSM_WIRE_KIND(RangeResume); DSM_WIRE_KIND(ShardFreeze);
DSM_WIRE_KIND(ShardReport); DSM_WIRE_KIND(ShardInstall);
#undef DSM_WIRE_KIND

// Each list is walked by the encoder, the decoder and the size count. `io` takes fields by reference.
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, Request> {
  io(m.page, m.count, m.access, m.has_copy, m.req);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, Fetch> {
  io(m.page, m.count, m.hole_count, m.access, m.requester, m.txn, m.req, m.version, m.final, m.may_move);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, Data> {
  io(m.page, m.count, m.granted, m.txn, m.req, m.version, m.zero, m.final, m.deferred);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, Invalidate> {
  io(m.page, m.count, m.txn);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, InvalidateAck> {
  io(m.page, m.txn, m.deferred);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, Grant> {
  io(m.page, m.count, m.access, m.txn, m.req, m.version, m.zero);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, Done> {
  io(m.page, m.count, m.granted, m.txn, m.zero, m.deferred);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, Release> {
  io(m.page, m.count, m.txn);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, Refuse> {
  io(m.page, m.req, m.reason);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, Evict> {
  io(m.page, m.to, m.req);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, OpenBlock> {
  io(m.block);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, BlockInfo> {
  io(m.block, m.present, m.readable, m.writable, m.pinned, m.mapped, m.beyond_file);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, RangeQuiesce> {
  io(m.id, m.range, m.version, m.op);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, RangeQuiesced> {
  io(m.id, m.holders);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, RangeDrop> {
  io(m.id, m.range, m.version);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, RangeDropped> {
  io(m.id);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, RangeResume> {
  io(m.id, m.op);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, ShardFreeze> {
  io(m.shard, m.host, m.epoch);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, ShardReport> {
  io(m.shard, m.epoch, m.version, m.entries, m.last);
  for (auto& e : m.entry) io(e.page, e.txn, e.version, e.count, e.kind);
}
template <class IO, class M> constexpr void fields(IO& io, M& m) requires std::is_same_v<std::remove_const_t<M>, ShardInstall> {
  io(m.shard, m.epoch, m.verdicts, m.last);
  for (auto& v : m.verdict) io(v.page, v.kind);
}

// How many bytes a field takes. Strong ids, enumerators and bools take their representation.
template <class T> constexpr size_t width(const StrongId<T, uint16_t>&) { return 2; }
template <class T> constexpr size_t width(const StrongId<T, uint64_t>&) { return 8; }
constexpr size_t width(const PageNo&) { return 8; }
constexpr size_t width(const PageRange&) { return 16; }
constexpr size_t width(const BlockBits&) { return 8 * BlockBits::kWords; }
constexpr size_t width(const NodeSet&) { return 8 * NodeSet::kWords; }
template <class T> constexpr size_t width(const T&) requires(std::is_integral_v<T> || std::is_enum_v<T>) { return sizeof(T); }

struct Counter {
  size_t bytes = 0;
  template <class... F> constexpr void operator()(const F&... f) { ((bytes += width(f)), ...); }
};
template <class M> constexpr size_t wire_bytes() {
  Counter counter;
  const M m{};
  fields(counter, m);
  return kHeaderBytes + counter.bytes;
}
static_assert(wire_bytes<Request>() == 28);
static_assert(wire_bytes<Fetch>() == 45);
static_assert(wire_bytes<Data>() == 42);
static_assert(wire_bytes<Invalidate>() == 26);
static_assert(wire_bytes<InvalidateAck>() == 25);
static_assert(wire_bytes<Grant>() == 40);
static_assert(wire_bytes<Done>() == 29);
static_assert(wire_bytes<Release>() == 26);
static_assert(wire_bytes<Refuse>() == 25);
static_assert(wire_bytes<Evict>() == 26);
static_assert(wire_bytes<OpenBlock>() == 16);
static_assert(wire_bytes<BlockInfo>() == 400);
static_assert(wire_bytes<RangeQuiesce>() == 37);
static_assert(wire_bytes<RangeQuiesced>() == 48);
static_assert(wire_bytes<RangeDrop>() == 36);
static_assert(wire_bytes<RangeDropped>() == 16);
static_assert(wire_bytes<RangeResume>() == 17);
static_assert(wire_bytes<ShardFreeze>() == 16);
static_assert(wire_bytes<ShardReport>() == 8 + 13 + 16 * 23);
static_assert(wire_bytes<ShardInstall>() == 8 + 9 + 16 * 9);

}  // namespace dsm::wire::format
