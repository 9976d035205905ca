// SPDX-License-Identifier: Apache-2.0
#include "libdsm/memory/page_store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#define XXH_INLINE_ALL  // no library to load at start-up
#include <xxhash.h>

#include "libdsm/base/check.h"

namespace dsm::memory {

int PageStore::read(PageNo first, std::span<std::byte> bytes) const {
  DSM_CHECK(bytes.size() % kPageBytes == 0);
  const MappedRange* range = map_ ? map_->find(first.address()) : nullptr;
  bool one_kind = !map_ || (range && range->kind != RangeKind::kFileRead && range->end >= first.address() + bytes.size());
  if (one_kind) return memfd_.read(first.address(), bytes);
  for (size_t done = 0; done < bytes.size();) {  // piece by piece: holes of the map and other kinds come from the memfd
    uint64_t at = first.address() + done;
    range = map_->find(at);
    size_t piece = range ? std::min<size_t>(bytes.size() - done, range->end - at) : kPageBytes;
    std::span<std::byte> into = bytes.subspan(done, piece);
    int error = range && range->kind == RangeKind::kFileRead
                    ? os::read_file_padded(range->file->fd.get(), range->file_offset + (at - range->start), into)
                    : memfd_.read(at, into);
    if (error != 0) return error;
    done += piece;
  }
  return 0;
}

int PageStore::punch(PageNo first, uint64_t count) { return memfd_.punch(first.address(), count * kPageBytes); }

std::optional<PageNo> PageStore::next_content(PageNo from) const {
  const int64_t at = memfd_.next_data(from.address());
  return at < 0 ? std::nullopt : std::optional(page_of(static_cast<uint64_t>(at)));
}

int PageStore::presence(BlockNo block, wire::BlockBits* present) const {
  *present = {};
  const uint64_t begin = first_page(block).address(), end = begin + kPagesPerBlock * kPageBytes;
  for (uint64_t at = begin; at < end;) {
    int64_t data = memfd_.next_data(at);
    if (data == -ENXIO || (data >= 0 && static_cast<uint64_t>(data) >= end)) return 0;
    if (data < 0) return static_cast<int>(data);
    int64_t hole = memfd_.end_of_data(static_cast<uint64_t>(data), end);
    if (hole < 0) return static_cast<int>(hole);
    auto stop = static_cast<uint64_t>(hole);
    unsigned from = page_of(static_cast<uint64_t>(data)).index();
    present->set_run(from, static_cast<unsigned>((stop - static_cast<uint64_t>(data)) / kPageBytes));
    at = stop;
  }
  return 0;
}

uint64_t PageStore::digest(PageNo page) const {
  std::array<std::byte, kPageBytes> bytes;
  if (read(page, bytes) != 0) return 0;
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace dsm::memory
