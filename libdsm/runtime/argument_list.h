// SPDX-License-Identifier: Apache-2.0
// argv or envp, copied into the runtime's memory: the originals lie where the new program will be.
// Context: as arena.h.
#pragma once
#include "libdsm/runtime/arena.h"

namespace dsm::runtime {

class ArgumentList {
 public:
  // Room for kMaxBytes of text; nothing of it is touched yet.
  explicit ArgumentList(Arena& arena);
  ~ArgumentList();
  ArgumentList(const ArgumentList&) = delete;
  ArgumentList& operator=(const ArgumentList&) = delete;

  // All of these: 0, -E2BIG, or -EFAULT.
  int64_t append(const char* text);
  int64_t append_from_program(uint64_t address);
  // Every string of a null-terminated array in program memory; a null `array` is an empty one.
  int64_t append_array_from_program(uint64_t array);
  // Puts `text` in front.
  int64_t prepend(const char* text);
  void drop_first();

  unsigned size() const { return count_; }
  const char* operator[](unsigned index) const { return item_[first_ + index]; }
  // Null-terminated, for the kernel.
  char* const* data() const { return item_ + first_; }
  static constexpr uint64_t kMaxBytes = 6 << 20;   // the kernel's own limit on all strings together

 private:
  int64_t push(size_t length);

  static constexpr unsigned kMaxItems = 1 << 19;
  static constexpr unsigned kRoomInFront = 16;
  Arena& arena_;
  char* text_;
  uint64_t used_ = 0;
  char** item_;
  unsigned first_ = kRoomInFront, count_ = 0;
};

}  // namespace dsm::runtime
