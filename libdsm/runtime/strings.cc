// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/strings.h"

extern "C" {

void* memcpy(void* to, const void* from, size_t bytes) {
  void* result = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
  return result;
}

void* memmove(void* to, const void* from, size_t bytes) {
  auto* d = static_cast<unsigned char*>(to);
  auto* s = static_cast<const unsigned char*>(from);
  if (d <= s || d >= s + bytes) return memcpy(to, from, bytes);
  d += bytes;
  s += bytes;
  for (; bytes >= 8; bytes -= 8) {
    d -= 8;
    s -= 8;
    uint64_t word;
    __builtin_memcpy(&word, s, 8);
    __builtin_memcpy(d, &word, 8);
  }
  while (bytes-- > 0) *--d = *--s;
  return to;
}

void* memset(void* to, int value, size_t bytes) {
  void* result = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
  return result;
}

int memcmp(const void* a, const void* b, size_t bytes) {
  auto* x = static_cast<const unsigned char*>(a);
  auto* y = static_cast<const unsigned char*>(b);
  for (; bytes > 0; bytes--, x++, y++)
    if (*x != *y) return *x < *y ? -1 : 1;
  return 0;
}

size_t strlen(const char* text) {
  size_t size = 0;
  while (text[size] != 0) size++;
  return size;
}

}  // extern "C"

namespace dsm::runtime {

bool equal(const char* a, const char* b) {
  while (*a != 0 && *a == *b) a++, b++;
  return *a == *b;
}

bool starts_with(const char* text, const char* prefix) {
  while (*prefix != 0)
    if (*text++ != *prefix++) return false;
  return true;
}

const char* base_name(const char* path) {
  const char* base = path;
  for (; *path != 0; path++)
    if (*path == '/') base = path + 1;
  return base;
}

uint64_t parse_decimal(const char** text) {
  uint64_t value = 0;
  for (; **text >= '0' && **text <= '9'; ++*text) value = value * 10 + static_cast<uint64_t>(**text - '0');
  return value;
}

uint64_t parse_hex(const char** text) {
  for (uint64_t value = 0;; ++*text) {
    const char c = **text;
    if (c >= '0' && c <= '9')
      value = value * 16 + static_cast<uint64_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value * 16 + static_cast<uint64_t>(c - 'a' + 10);
    else
      return value;
  }
}

TextBuffer& TextBuffer::bytes(const char* value, size_t count) {
  while (count-- > 0 && !full()) buffer_[size_++] = *value++;
  buffer_[size_] = 0;
  return *this;
}

TextBuffer& TextBuffer::text(const char* value) { return bytes(value, strlen(value)); }

TextBuffer& TextBuffer::decimal(int64_t value) {
  char digits[24];
  size_t count = 0;
  uint64_t rest = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  do {
    digits[sizeof digits - ++count] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) digits[sizeof digits - ++count] = '-';
  return bytes(digits + sizeof digits - count, count);
}

TextBuffer& TextBuffer::hex(uint64_t value) {
  char digits[24];
  size_t count = 0;
  do {
    digits[sizeof digits - ++count] = "0123456789abcdef"[value & 15];
    value >>= 4;
  } while (value != 0);
  return bytes(digits + sizeof digits - count, count);
}

}  // namespace dsm::runtime
