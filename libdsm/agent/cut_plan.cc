// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/cut_plan.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <map>

#include "libdsm/ckpt/ckpt_format.h"

namespace dsm::agent {
namespace {

static_assert(ckpt::kBlockPages == 64 && kPagesPerBlock % ckpt::kBlockPages == 0, "a group is a word of BlockBits");

// Pages that are in the plan, or may be: by group.
using Groups = std::map<uint64_t, uint64_t>;

void set_run(Groups& groups, uint64_t first, uint64_t end) {
  while (first < end) {
    const uint64_t number = first / 64, from = first % 64, count = std::min<uint64_t>(64 - from, end - first);
    groups[number] |= (count == 64 ? ~uint64_t{0} : ((uint64_t{1} << count) - 1)) << from;
    first += count;
  }
}

CutPlan to_plan(const Groups& groups) {
  CutPlan plan;
  for (const auto& [number, pages] : groups)
    if (pages != 0) plan.push_back({number, pages});
  return plan;
}

Groups to_groups(const coherence::CutSelection& selection) {
  Groups groups;
  for (const auto& [block, pages] : selection.pages())
    for (unsigned w = 0; w < wire::BlockBits::kWords; ++w)
      if (pages.word(w) != 0) groups[block.value * wire::BlockBits::kWords + w] = pages.word(w);
  return groups;
}

// Content of [start, end) in blocks that were never opened.
int add_present(Groups& groups, const coherence::CacheController& cache, const os::Memfd& memory, uint64_t start, uint64_t end) {
  constexpr uint64_t kBlockBytes = kPagesPerBlock * kPageBytes;
  for (uint64_t at = start; at < end;) {
    const int64_t data = memory.next_data(at);
    if (data == -ENXIO) return 0;
    if (data < 0) return static_cast<int>(data);
    at = static_cast<uint64_t>(data);
    if (at >= end) return 0;
    const uint64_t limit = std::min(end, (at / kBlockBytes + 1) * kBlockBytes);
    if (!cache.block_open(page_of(at).block())) {
      const int64_t hole = memory.end_of_data(at, limit);
      if (hole < 0) return static_cast<int>(hole);
      set_run(groups, at / kPageBytes, static_cast<uint64_t>(hole) / kPageBytes);
      at = static_cast<uint64_t>(hole);
    } else {
      at = limit;
    }
  }
  return 0;
}

}  // namespace

CutPlan plan_of(const coherence::CutSelection& selection) { return to_plan(to_groups(selection)); }

Result<CutPlan> plan_of_origin(const coherence::CutSelection& selection, const coherence::CacheController& cache, const memory::AddressMap& map,
                               const os::Memfd& memory) {
  Groups groups = to_groups(selection), counts;
  int error = 0;
  map.for_each(0, ckpt::kAddressSpaceBlocks * ckpt::kBlockBytes, [&](const memory::MappedRange& range, uint64_t start, uint64_t end) {
    if (range.kind != memory::RangeKind::kPrivate || error != 0) return;
    // A reserved terabyte has few groups that were selected.
    for (auto at = groups.lower_bound(start / ckpt::kBlockBytes); at != groups.end() && at->first * ckpt::kBlockBytes < end; ++at) {
      const uint64_t first = at->first * ckpt::kBlockPages;
      set_run(counts, std::max(first, start / kPageBytes), std::min(first + ckpt::kBlockPages, end / kPageBytes));
    }
  });
  for (auto& [number, pages] : groups) pages &= counts.contains(number) ? counts[number] : 0;
  map.for_each(0, ckpt::kAddressSpaceBlocks * ckpt::kBlockBytes, [&](const memory::MappedRange& range, uint64_t start, uint64_t end) {
    if (range.kind == memory::RangeKind::kPrivate && error == 0) error = add_present(groups, cache, memory, start, end);
  });
  if (error != 0) return system_error("cannot find out which pages of the program are present", -error);
  return to_plan(groups);
}

uint64_t pages_of(const CutPlan& plan) {
  uint64_t sum = 0;
  for (const CutGroup& group : plan) sum += static_cast<unsigned>(std::popcount(group.pages));
  return sum;
}

}  // namespace dsm::agent
