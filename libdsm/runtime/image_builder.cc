// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/image_builder.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kFirstCapacity = 64 << 10;

constexpr uint64_t up_to_word(uint64_t offset) { return (offset + 7) & ~uint64_t{7}; }

int64_t put(int64_t fd, const void* from, uint64_t bytes, uint64_t offset) {
  const auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    const int64_t done = sys(__NR_pwrite64, fd, at, bytes, offset);
    if (done == -EINTR) continue;
    if (done <= 0) return done < 0 ? done : -EIO;
    at += done;
    offset += static_cast<uint64_t>(done);
    bytes -= static_cast<uint64_t>(done);
  }
  return 0;
}

}  // namespace

GrowingBytes::~GrowingBytes() {
  if (data_ != nullptr) arena_.give_back(data_, capacity_);
}

uint8_t* GrowingBytes::extend(uint64_t bytes) {
  if (size_ + bytes > capacity_) {
    uint64_t wanted = capacity_ != 0 ? 2 * capacity_ : kFirstCapacity;
    while (wanted < size_ + bytes) wanted *= 2;
    auto* larger = static_cast<uint8_t*>(arena_.take(wanted));
    memcpy(larger, data_, size_);
    if (data_ != nullptr) arena_.give_back(data_, capacity_);
    data_ = larger;
    capacity_ = wanted;
  }
  uint8_t* const start = data_ + size_;
  memset(start, 0, bytes);   // what was shrunk is not new
  size_ += bytes;
  return start;
}

ImageBuilder::ImageBuilder(Arena& arena)
    : part_{Part(arena), Part(arena), Part(arena), Part(arena), Part(arena), Part(arena), Part(arena),
            Part(arena), Part(arena), Part(arena), Part(arena), Part(arena), Part(arena), Part(arena)} {}

image::Span ImageBuilder::room(uint64_t count) {
  GrowingBytes& bytes = part_of(image::SectionKind::kBytes).bytes;
  RT_CHECK(has_room(count));
  bytes.extend(up_to_word(bytes.size()) - bytes.size());
  const image::Span span = {static_cast<uint32_t>(bytes.size()), static_cast<uint32_t>(count)};
  bytes.extend(count);
  return span;
}

image::Span ImageBuilder::bytes(const void* from, uint64_t count) {
  const image::Span span = room(count);
  memcpy(data(span), from, count);
  return span;
}

image::Span ImageBuilder::text(const char* value) {
  image::Span span = bytes(value, strlen(value) + 1);
  span.bytes--;
  return span;
}

void ImageBuilder::shrink_last(image::Span* span, uint64_t count) {
  RT_CHECK(count <= span->bytes);
  span->bytes = static_cast<uint32_t>(count);
  part_of(image::SectionKind::kBytes).bytes.shrink(span->offset + count);
}

bool ImageBuilder::has_room(uint64_t count) const {
  constexpr uint64_t kKept = 256 << 20;   // for all that is not the content of files and memory
  const uint64_t used = part_of(image::SectionKind::kBytes).bytes.size();
  return count <= image::kMostBytes - kKept && used + count + kKept <= image::kMostBytes - 1;
}

void ImageBuilder::lose(image::LostKind kind, int64_t number, uint64_t address, const char* what) {
  add(image::SectionKind::kLost, image::Lost{kind, static_cast<int32_t>(number), address, text(what)});
}

int64_t ImageBuilder::write_to(int64_t fd) const {
  image::Section table[image::kSections];
  uint64_t end = sizeof(image::Header) + sizeof table;
  for (uint32_t i = 0; i < image::kSections; i++) {
    const Part& part = part_[i];
    end = up_to_word(end);
    const auto kind = static_cast<image::SectionKind>(i + 1);
    const uint64_t count = kind == image::SectionKind::kBytes ? part.bytes.size() : part.count;
    table[i] = {kind, image::record_bytes(kind), end, count};
    if (const int64_t error = put(fd, part.bytes.data(), part.bytes.size(), end); error != 0) return error;
    end += part.bytes.size();
  }
  if (const int64_t error = sys(__NR_ftruncate, fd, end); error != 0) return error;
  const image::Header header = {image::kMagic, image::kVersion, image::kSections, end, 0};
  if (const int64_t error = put(fd, &header, sizeof header, 0); error != 0) return error;
  return put(fd, table, sizeof table, sizeof header);
}

}  // namespace dsm::runtime
