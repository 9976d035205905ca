// SPDX-License-Identifier: Apache-2.0
// A process image while it is being written: its sections grow in the arena, then go into a memfd as one stream.
//
// Context: runtime code at the origin, the world stopped. Not thread-safe: parked threads that add their own part hold lock().
#pragma once
#include "libdsm/runtime/arena.h"
#include "libdsm/runtime/process_image.h"

namespace dsm::runtime {

// An array of bytes that grows.
class GrowingBytes {
 public:
  explicit GrowingBytes(Arena& arena) : arena_(arena) {}
  ~GrowingBytes();
  GrowingBytes(const GrowingBytes&) = delete;
  GrowingBytes& operator=(const GrowingBytes&) = delete;

  // Room for `bytes` more, zero; valid until the next call.
  uint8_t* extend(uint64_t bytes);
  // Forgets everything behind the first `bytes`.
  void shrink(uint64_t bytes) { size_ = bytes; }
  uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  Arena& arena_;
  uint8_t* data_ = nullptr;
  uint64_t size_ = 0, capacity_ = 0;
};

class ImageBuilder {
 public:
  explicit ImageBuilder(Arena& arena);

  template <class T>
  uint32_t add(image::SectionKind kind, const T& record) {   // T belongs to `kind`
    Part& part = part_of(kind);
    __builtin_memcpy(part.bytes.extend(sizeof(T)), &record, sizeof(T));
    return part.count++;
  }
  template <class T>
  T* records(image::SectionKind kind) const {
    return reinterpret_cast<T*>(part_of(kind).bytes.data());
  }
  uint32_t count(image::SectionKind kind) const { return part_of(kind).count; }

  image::Span text(const char* value);
  image::Span bytes(const void* from, uint64_t count);
  // Room that the caller fills at data(span) before it adds anything else; may be shrunk by shrink_last.
  image::Span room(uint64_t count);
  uint8_t* data(image::Span span) const { return part_of(image::SectionKind::kBytes).bytes.data() + span.offset; }
  void shrink_last(image::Span* span, uint64_t count);
  // False when so much more would be more than an image may have.
  bool has_room(uint64_t count) const;
  void lose(image::LostKind kind, int64_t number, uint64_t address, const char* what);

  Lock& lock() { return lock_; }
  // The whole image into the empty file `fd`: 0 or -errno.
  int64_t write_to(int64_t fd) const;

 private:
  struct Part {
    explicit Part(Arena& arena) : bytes(arena) {}
    GrowingBytes bytes;
    uint32_t count = 0;
  };
  Part& part_of(image::SectionKind kind) { return part_[static_cast<uint32_t>(kind) - 1]; }
  const Part& part_of(image::SectionKind kind) const { return part_[static_cast<uint32_t>(kind) - 1]; }

  Lock lock_;
  Part part_[image::kSections];
};

}  // namespace dsm::runtime
