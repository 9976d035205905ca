// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/program_map.h"

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

// `b` begins where `a` ends: are they one range?
bool continues(const Range& a, const Range& b) {
  return a.end == b.start && a.kind == b.kind && a.prot == b.prot && a.flags == b.flags && a.file == b.file &&
         (a.file == nullptr || a.offset + a.bytes() == b.offset);
}

}  // namespace

void ProgramMap::initialise(Arena& arena) {
  range_ = static_cast<Range*>(arena.take(kCapacity * sizeof(Range)));
  clear();
}

void ProgramMap::clear() {
  range_[0] = {abi::kRuntimeBegin, abi::kRuntimeEnd, abi::MapKind::kPinned, 0, kRangeRuntime, 0, nullptr, 0};
  count_ = 1;
}

size_t ProgramMap::first_after(uint64_t address) const {
  size_t low = 0, high = count_;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (range_[middle].end > address)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

const Range* ProgramMap::find(uint64_t address) const {
  const size_t index = first_after(address);
  return index < count_ && range_[index].start <= address ? &range_[index] : nullptr;
}

bool ProgramMap::is_free(uint64_t start, uint64_t end) const {
  const size_t index = first_after(start);
  return index == count_ || range_[index].start >= end;
}

bool ProgramMap::is_covered(uint64_t start, uint64_t end) const {
  for (size_t i = first_after(start); start < end; i++) {
    if (i == count_ || range_[i].start > start || (range_[i].flags & kRangeRuntime) != 0) return false;
    start = range_[i].end;
  }
  return true;
}

void ProgramMap::remove_at(size_t index, size_t count) {
  memmove(&range_[index], &range_[index + count], (count_ - index - count) * sizeof(Range));
  count_ -= count;
}

bool ProgramMap::insert_at(size_t index, const Range& range) {
  if (count_ == kCapacity) return false;
  memmove(&range_[index + 1], &range_[index], (count_ - index) * sizeof(Range));
  range_[index] = range;
  count_++;
  return true;
}

bool ProgramMap::split_at(uint64_t address, FileReferences& files) {
  const size_t index = first_after(address);
  if (index == count_ || range_[index].start >= address) return true;
  Range upper = range_[index];
  upper.offset = upper.offset_of(address);
  upper.start = address;
  if (!insert_at(index + 1, upper)) return false;
  range_[index].end = address;
  files.retain(upper.file);
  return true;
}

// Joins range `index` with the one before it, if they are one.
void ProgramMap::merge_around(size_t index, FileReferences& files) {
  if (index == 0 || index >= count_ || !continues(range_[index - 1], range_[index])) return;
  range_[index - 1].end = range_[index].end;
  files.release(range_[index].file);
  remove_at(index, 1);
}

bool ProgramMap::insert(const Range& range, FileReferences& files) {
  RT_CHECK(range.start < range.end && is_free(range.start, range.end));
  const size_t index = first_after(range.start);
  if (!insert_at(index, range)) return false;
  merge_around(index + 1, files);
  merge_around(index, files);
  return true;
}

bool ProgramMap::erase(uint64_t start, uint64_t end, FileReferences& files) {
  if (!split_at(start, files) || !split_at(end, files)) return false;
  const size_t first = first_after(start);
  size_t last = first;
  for (; last < count_ && range_[last].start < end; last++) {
    RT_CHECK((range_[last].flags & kRangeRuntime) == 0);
    files.release(range_[last].file);
  }
  remove_at(first, last - first);
  return true;
}

template <class Change>
bool ProgramMap::change(uint64_t start, uint64_t end, FileReferences& files, Change change_range) {
  if (!split_at(start, files) || !split_at(end, files)) return false;
  size_t index = first_after(start);
  const size_t first = index;
  for (; index < count_ && range_[index].start < end; index++) change_range(range_[index]);
  for (; index > first; index--) merge_around(index, files);
  merge_around(first, files);
  return true;
}

bool ProgramMap::set_prot(uint64_t start, uint64_t end, uint32_t prot, FileReferences& files) {
  return change(start, end, files, [&](Range& range) { range.prot = prot; });
}

bool ProgramMap::set_flags(uint64_t start, uint64_t end, uint32_t set, uint32_t clear, FileReferences& files) {
  return change(start, end, files, [&](Range& range) { range.flags = (range.flags & ~clear) | set; });
}

uint64_t ProgramMap::highest_gap(uint64_t bytes, uint64_t align, uint64_t floor, uint64_t limit) const {
  // Down from `limit`, gap by gap. `next` counts the ranges that may still bound a gap from below.
  uint64_t ceiling = limit;
  size_t next = first_after(limit);
  if (next < count_ && range_[next].start < limit) ceiling = range_[next].start;
  for (;;) {
    if (ceiling <= floor || ceiling - floor < bytes) return 0;
    const uint64_t bottom = next > 0 && range_[next - 1].end > floor ? range_[next - 1].end : floor;
    const uint64_t start = (ceiling - bytes) & ~(align - 1);
    if (start >= bottom) return start;
    if (next == 0) return 0;
    ceiling = range_[--next].start;
  }
}

}  // namespace dsm::runtime
