// SPDX-License-Identifier: Apache-2.0
// The C string routines that the compiler may call by itself, and the few that the runtime needs. Any context.
#pragma once
#include <stddef.h>
#include <stdint.h>

extern "C" {
void* memcpy(void* to, const void* from, size_t bytes);
void* memmove(void* to, const void* from, size_t bytes);
void* memset(void* to, int value, size_t bytes);
int memcmp(const void* a, const void* b, size_t bytes);
size_t strlen(const char* text);
}

namespace dsm::runtime {

bool equal(const char* a, const char* b);
bool starts_with(const char* text, const char* prefix);
// The part after the last '/'.
const char* base_name(const char* path);
// Decimal digits at *text, which is advanced past them; 0 if there are none.
uint64_t parse_decimal(const char** text);
uint64_t parse_hex(const char** text);
// Appends to a bounded buffer and keeps it terminated; what does not fit is cut.
class TextBuffer {
 public:
  TextBuffer(char* buffer, size_t capacity) : buffer_(buffer), capacity_(capacity) { buffer_[0] = 0; }
  TextBuffer& text(const char* value);
  TextBuffer& bytes(const char* value, size_t count);
  TextBuffer& decimal(int64_t value);
  TextBuffer& hex(uint64_t value);
  size_t size() const { return size_; }
  bool full() const { return size_ + 1 >= capacity_; }
  const char* data() const { return buffer_; }

 private:
  char* buffer_;
  size_t capacity_;
  size_t size_ = 0;
};

}  // namespace dsm::runtime
