// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/origin_map.h"

#include <algorithm>

namespace dsm::sim {
namespace {

bool permits(Protection protection, Access access) {
  return protection == Protection::kReadWrite || (protection == Protection::kRead && access == Access::kRead);
}

}  // namespace

void OriginMap::set(const PageRange& range, Protection protection, uint64_t step) {
  changes_.push_back({range, protection, step});
}

Protection OriginMap::at(PageNo page) const {
  Protection now = Protection::kReadWrite;
  for (const Change& change : changes_)
    if (change.range.contains(page)) now = change.protection;
  return now;
}

bool OriginMap::allows(PageNo page, Access access) const { return permits(at(page), access); }

bool OriginMap::forbade_since(PageNo page, Access access, uint64_t step) const {
  Protection before = Protection::kReadWrite;
  for (const Change& change : changes_) {
    if (!change.range.contains(page)) continue;
    // What held before a change that falls into the time in question held for a part of it.
    if (change.step >= step && !permits(before, access)) return true;
    before = change.protection;
  }
  return !permits(before, access);
}

wire::BlockInfo OriginMap::describe(BlockNo block, const wire::BlockBits& present) const {
  wire::BlockInfo info;
  info.block = block;
  info.present = present;
  info.readable = info.writable = info.mapped = wire::BlockBits::all();
  for (const Change& change : changes_) {
    const uint64_t start = std::max(change.range.first.value, first_page(block).value);
    const uint64_t end = std::min(change.range.first.value + change.range.count, first_page(block).value + kPagesPerBlock);
    for (uint64_t page = start; page < end; ++page) {
      const unsigned i = PageNo{page}.index();
      const auto put = [i](wire::BlockBits& bits, bool on) { on ? bits.set(i) : bits.clear(i); };
      put(info.readable, permits(change.protection, Access::kRead));
      put(info.writable, permits(change.protection, Access::kWrite));
      put(info.mapped, change.protection != Protection::kUnmapped);
    }
  }
  return info;
}

}  // namespace dsm::sim
