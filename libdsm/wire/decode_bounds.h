// SPDX-License-Identifier: Apache-2.0
// What must hold for the fields of a message whatever the state of its receiver is. Nothing past decode() needs to ask
// again: runs lie in one block, enumerators are known, counts fit.
#pragma once
#include "libdsm/wire/messages.h"

namespace dsm::wire {

// Pages above this are no user address (47 bits).
inline constexpr uint64_t kMaxPage = uint64_t{1} << 35;

constexpr bool good_page(PageNo p) { return p.value < kMaxPage; }
// A run of 1..512 pages in one block.
constexpr bool good_run(PageNo p, unsigned count) {
  return good_page(p) && count >= 1 && p.index() + count <= kPagesPerBlock;
}
constexpr bool good_access(Access a) { return a == Access::kRead || a == Access::kWrite; }
constexpr bool good_op(RangeOp op) { return op >= RangeOp::kDrop && op <= RangeOp::kRecallExclusive; }
constexpr bool good_range(const PageRange& r) { return good_page(r.first) && r.count <= kMaxPage; }
constexpr bool good_block(BlockNo b) { return b.value < kMaxPage / kPagesPerBlock; }

constexpr bool in_bounds(const Request& m) { return good_run(m.page, m.count) && good_access(m.access); }
constexpr bool in_bounds(const Fetch& m) {
  return good_run(m.page, m.count) && (m.hole_count == 0 || good_run(m.page, m.hole_count)) && good_access(m.access);
}
constexpr bool in_bounds(const Data& m) { return good_run(m.page, m.count) && good_access(m.granted); }
constexpr bool in_bounds(const Invalidate& m) { return good_run(m.page, m.count); }
constexpr bool in_bounds(const InvalidateAck& m) { return good_page(m.page); }
constexpr bool in_bounds(const Grant& m) { return good_run(m.page, m.count) && good_access(m.access); }
constexpr bool in_bounds(const Done& m) {
  return (m.count == 0 ? good_page(m.page) : good_run(m.page, m.count)) && good_access(m.granted);
}
constexpr bool in_bounds(const Release& m) { return good_run(m.page, m.count); }
constexpr bool in_bounds(const Refuse& m) {
  return good_page(m.page) && m.reason >= RefuseReason::kUnmapped && m.reason <= RefuseReason::kPinned;
}
constexpr bool in_bounds(const Evict& m) { return good_page(m.page); }
constexpr bool in_bounds(const OpenBlock& m) { return good_block(m.block); }
constexpr bool in_bounds(const BlockInfo& m) { return good_block(m.block); }
constexpr bool in_bounds(const RangeQuiesce& m) { return good_range(m.range) && good_op(m.op); }
constexpr bool in_bounds(const RangeQuiesced&) { return true; }
constexpr bool in_bounds(const RangeDrop& m) { return good_range(m.range); }
constexpr bool in_bounds(const RangeDropped&) { return true; }
constexpr bool in_bounds(const RangeResume& m) { return good_op(m.op); }
constexpr bool in_bounds(const ShardFreeze& m) { return m.epoch < (1u << 16); }
constexpr bool in_bounds(const ShardReport& m) {
  if (m.entries > ShardReport::kMaxEntries) return false;
  for (unsigned i = 0; i < m.entries; ++i) {
    const ReportEntry& e = m.entry[i];
    if (!good_run(e.page, e.count) || e.kind < ReportEntry::Kind::kShared || e.kind > ReportEntry::Kind::kDropped) return false;
  }
  return true;
}
constexpr bool in_bounds(const ShardInstall& m) {
  if (m.verdicts > ShardInstall::kMaxVerdicts) return false;
  for (unsigned i = 0; i < m.verdicts; ++i) {
    const Verdict& v = m.verdict[i];
    if (!good_page(v.page) || v.kind < Verdict::Kind::kRestoreSent || v.kind > Verdict::Kind::kForgetSent) return false;
  }
  return true;
}

}  // namespace dsm::wire
