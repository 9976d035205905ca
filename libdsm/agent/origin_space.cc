// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/origin_space.h"

#include <algorithm>
#include <cerrno>

#include "libdsm/base/check.h"
#include "libdsm/os/files.h"

namespace dsm::agent {
namespace {

using memory::MappedRange;
using memory::RangeKind;

constexpr uint64_t kCountedRun = 16;   // pages filled at once in a stream of counted first touches
constexpr uint64_t kBlockBytes = kPagesPerBlock * kPageBytes;

BlockNo block_at(uint64_t address) { return page_of(address).block(); }

PageRange pages_of(uint64_t start, uint64_t length) { return {page_of(start), length / kPageBytes}; }

// A file may have grown or shrunk since it was mapped, and the kernel lets mappings follow.
uint64_t file_bytes_now(const MappedRange& range) {
  return range.file && range.file->fd ? os::bytes_behind(range.file->fd.get(), range.file_offset) : range.file_bytes;
}

void describe_piece(const MappedRange& range, uint64_t start, uint64_t end, wire::BlockInfo& info) {
  const uint64_t file_bytes = range.kind == RangeKind::kFileRead ? file_bytes_now(range) : 0;
  for (uint64_t at = start; at < end; at += kPageBytes) {
    unsigned index = page_of(at).index();
    info.mapped.set(index);
    if (range.kind == RangeKind::kPinned) {
      info.pinned.set(index);
      continue;
    }
    if (range.kind == RangeKind::kFileRead) {
      bool in_file = at - range.start < file_bytes;
      if (in_file) info.present.set(index);
      else info.beyond_file.set(index);
      if (in_file && range.readable()) info.readable.set(index);
      continue;
    }
    if (range.readable()) info.readable.set(index);
    if (range.writable()) info.writable.set(index);
  }
}

}  // namespace

int OriginSpace::track_range(uint64_t start, uint64_t end, fault::FaultSource& source) const {
  if (counts_) return source.track(start, end - start, fault::Tracking::kTracked);
  // Runs of blocks of one sort are registered together, so that the kernel's mapping is cut as rarely as possible.
  for (uint64_t at = start; at < end;) {
    auto next = open_.lower_bound(block_at(at));
    bool open = next != open_.end() && *next == block_at(at);
    uint64_t stop = end;
    if (open) {
      for (stop = at; next != open_.end() && *next == block_at(stop) && stop < end; ++next)
        stop = first_page(*next).address() + kBlockBytes;
    } else if (next != open_.end()) {
      stop = first_page(*next).address();
    }
    stop = std::min(stop, end);
    int error = source.track(at, stop - at, open ? fault::Tracking::kTracked : fault::Tracking::kNative);
    if (error != 0) return error;
    at = stop;
  }
  return 0;
}

int OriginSpace::add(MappedRange range, fault::FaultSource& source) {
  uint64_t start = range.start, end = range.end;
  bool registered = range.kind == RangeKind::kPrivate, writable = range.writable();
  PageRange fresh = pages_of(start, end - start);
  map_.add(std::move(range));
  first_touch_.forget(fresh);
  int error = registered ? track_range(start, end, source) : 0;
  return error == 0 && registered && writable && !counts_ ? guard_fresh(fresh, source) : error;
}

void OriginSpace::remove(uint64_t start, uint64_t length) {
  first_touch_.forget(pages_of(start, length));
  map_.remove(start, length);
}

int OriginSpace::begin_pin(uint64_t start, uint64_t length, fault::FaultSource& source) {
  first_touch_.forget(pages_of(start, length));
  map_.pin(start, length);
  if (int error = source.track(start, length, fault::Tracking::kTracked); error != 0) return error;
  moving_.push_back(pages_of(start, length));
  return 0;
}

void OriginSpace::end_pin(uint64_t start) {
  std::erase_if(moving_, [&](const PageRange& range) { return range.first == page_of(start); });
}

bool OriginSpace::is_moving(PageNo page) const {
  return std::any_of(moving_.begin(), moving_.end(), [&](const PageRange& range) { return range.contains(page); });
}

void OriginSpace::clear() {
  moving_.clear();
  first_touch_.clear();
  map_.clear();
}

// The program may have unmapped or replaced a part whose removal is not reported yet; the rest must be tracked all the same.
// The kernel refuses such a range as a whole.
int OriginSpace::track_remainder(uint64_t start, uint64_t end, fault::FaultSource& source) {
  int error = source.track(start, end - start, fault::Tracking::kTracked);
  if (error != -EINVAL && error != -ENOMEM) return error;
  if (end - start == kPageBytes) return 0;
  uint64_t middle = start + (end - start) / kPageBytes / 2 * kPageBytes;
  error = track_remainder(start, middle, source);
  return error != 0 ? error : track_remainder(middle, end, source);
}

OriginSpace::Change OriginSpace::protect(uint64_t start, uint64_t length, uint32_t protection) {
  Change change = Change::kNothingLost;
  map_.for_each(start, length, [&](const MappedRange& range, uint64_t, uint64_t) {
    if (range.kind == RangeKind::kPinned) return;
    if (range.readable() && protection == 0) change = Change::kAllLost;
    else if (range.writable() && !(protection & memory::kWrite)) change = std::max(change, Change::kWriteLost);
  });
  map_.protect(start, length, protection);
  if (!(protection & memory::kWrite)) first_touch_.forget(pages_of(start, length));
  return change;
}

// ---- First touches -------------------------------------------------------------------------------------------

int OriginSpace::guard_fresh(PageRange fresh, fault::FaultSource& source) {
  std::optional<PageNo> guard = first_touch_.added(fresh);
  if (!guard) return 0;
  if (!is_open(guard->block())) return source.protect(*guard, 1);
  first_touch_.forget({*guard, 1});
  return 0;
}

// Pages from `first` on that belong to one writable private range and to native blocks.
uint64_t OriginSpace::native_run(PageNo first, uint64_t limit) const {
  const MappedRange* range = map_.find(first.address());
  if (range == nullptr || range->kind != RangeKind::kPrivate || !range->writable()) return 0;
  uint64_t end = range->end;
  if (auto open = open_.lower_bound(first.block()); open != open_.end())
    end = std::min(end, std::max(first.address(), first_page(*open).address()));
  return std::min(limit, (end - first.address()) / kPageBytes);
}

int OriginSpace::fill_ahead(PageNo page, const memory::PageStore& pages, fault::FaultSource& source) {
  if (!first_touch_.is_guard(page)) return 0;
  const uint64_t run = first_touch_.take(page);
  if (is_open(page.block())) return 0;
  for (uint64_t back = FirstTouch::kProofPages; back > 0; --back)
    if (!pages.present(PageNo{page.value - back})) return 0;
  const PageNo next = page + 1;
  const uint64_t room = native_run(next, run + 1), count = std::min(room, run);
  if (count == 0 || source.fill_holes(next, count) < count || room <= run) return 0;
  return source.protect(first_touch_.filled(page, run), 1);
}

bool OriginSpace::fill_counted(PageNo page, const memory::PageStore& pages, fault::FaultSource& source, int& error) const {
  if (!counts_ || is_open(page.block()) || pages.present(page)) return false;
  const MappedRange* range = map_.find(page.address());
  if (range == nullptr || range->kind != RangeKind::kPrivate) return false;
  const bool stream = page.value > 0 && pages.present(PageNo{page.value - 1});
  const uint64_t run = stream ? std::max<uint64_t>(1, native_run(page, kCountedRun)) : 1;
  // A run may span two mappings of the kernel's, and the page may have come or gone meanwhile.
  if (source.fill_holes(page, run) == 0 && (run == 1 || source.fill_holes(page, 1) == 0)) error = source.wake(page, 1);
  return true;
}

int OriginSpace::open(BlockNo block, fault::FaultSource& source) {
  if (!open_.insert(block).second) return 0;
  int error = 0;
  map_.for_each(first_page(block).address(), kBlockBytes, [&](const MappedRange& range, uint64_t start, uint64_t end) {
    if (range.kind != RangeKind::kPrivate || error != 0) return;
    error = track_remainder(start, end, source);
  });
  return error;
}

bool OriginSpace::any_open(uint64_t start, uint64_t length) const {
  auto it = open_.lower_bound(block_at(start));
  return it != open_.end() && first_page(*it).address() < start + length;
}

wire::BlockInfo OriginSpace::describe(BlockNo block, const memory::PageStore& pages) const {
  wire::BlockInfo info{};
  info.block = block;
  // Failing to list would call present pages absent, and they would be lost.
  DSM_CHECK(pages.presence(block, &info.present) == 0);
  map_.for_each(first_page(block).address(), kBlockBytes,
                [&](const MappedRange& range, uint64_t start, uint64_t end) { describe_piece(range, start, end, info); });
  return info;
}

}  // namespace dsm::agent
