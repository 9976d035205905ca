// SPDX-License-Identifier: Apache-2.0
#include "libdsm/memory/address_map.h"

#include <algorithm>

#include "libdsm/base/check.h"

namespace dsm::memory {

void AddressMap::split_at(uint64_t address) {
  auto it = ranges_.upper_bound(address);
  if (it == ranges_.begin()) return;
  MappedRange& left = std::prev(it)->second;
  if (!left.contains(address) || left.start == address) return;
  MappedRange right = left;
  uint64_t cut = address - left.start;
  right.start = address;
  right.file_offset += cut;
  right.file_bytes = left.file_bytes > cut ? left.file_bytes - cut : 0;
  left.end = address;
  left.file_bytes = std::min(left.file_bytes, cut);
  ranges_.emplace_hint(it, address, std::move(right));
}

void AddressMap::add(MappedRange range) {
  DSM_CHECK(range.start < range.end && range.start % kPageBytes == 0 && range.end % kPageBytes == 0);
  DSM_CHECK(range.kind != RangeKind::kFileRead || (range.file && range.file->fd));
  remove(range.start, range.end - range.start);
  uint64_t start = range.start;
  ranges_.emplace(start, std::move(range));
}

void AddressMap::remove(uint64_t start, uint64_t length) {
  split_at(start);
  split_at(start + length);
  ranges_.erase(ranges_.lower_bound(start), ranges_.lower_bound(start + length));
}

void AddressMap::protect(uint64_t start, uint64_t length, uint32_t protection) {
  split_at(start);
  split_at(start + length);
  for (auto it = ranges_.lower_bound(start); it != ranges_.end() && it->first < start + length; ++it)
    it->second.protection = protection;
}

void AddressMap::pin(uint64_t start, uint64_t length) {
  split_at(start);
  split_at(start + length);
  for (auto it = ranges_.lower_bound(start); it != ranges_.end() && it->first < start + length; ++it)
    if (it->second.kind == RangeKind::kPrivate) it->second.kind = RangeKind::kPinned;
}

const MappedRange* AddressMap::find(uint64_t address) const {
  auto it = ranges_.upper_bound(address);
  if (it == ranges_.begin()) return nullptr;
  const MappedRange& range = std::prev(it)->second;
  return range.contains(address) ? &range : nullptr;
}

void AddressMap::for_each(uint64_t start, uint64_t length,
                          const std::function<void(const MappedRange&, uint64_t, uint64_t)>& f) const {
  uint64_t end = start + length;
  auto it = ranges_.upper_bound(start);
  if (it != ranges_.begin() && std::prev(it)->second.contains(start)) --it;
  for (; it != ranges_.end() && it->first < end; ++it)
    f(it->second, std::max(start, it->second.start), std::min(end, it->second.end));
}

}  // namespace dsm::memory
