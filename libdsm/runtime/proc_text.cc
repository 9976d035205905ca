// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/proc_text.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>

#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/sys.h"

namespace dsm::runtime {

int64_t read_small_file(const char* path, char* to, size_t capacity) {
  to[0] = 0;
  const int64_t fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (is_error(fd)) return fd;
  size_t size = 0;
  int64_t got = 0;
  while (size + 1 < capacity) {
    got = sys(__NR_read, fd, to + size, capacity - 1 - size);
    if (got == -EINTR) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  sys(__NR_close, fd);
  to[size] = 0;
  return got < 0 ? got : static_cast<int64_t>(size);
}

const char* skip_blanks(const char* text) {
  while (*text == ' ' || *text == '\t') text++;
  return text;
}

const char* next_line(const char* line) {
  while (*line != 0 && *line != '\n') line++;
  return *line == '\n' && line[1] != 0 ? line + 1 : nullptr;
}

const char* field_of(const char* text, const char* name) {
  for (const char* line = text; line != nullptr; line = next_line(line))
    if (starts_with(line, name)) return skip_blanks(line + strlen(name));
  return nullptr;
}

uint64_t status_mask(const char* path, const char* field) {
  char text[4096];
  if (is_error(read_small_file(path, text, sizeof text))) return 0;
  const char* at = field_of(text, field);
  return at != nullptr ? parse_hex(&at) : 0;
}

int64_t parse_signed(const char** text) {
  const bool negative = **text == '-';
  if (negative) (*text)++;
  const auto value = static_cast<int64_t>(parse_decimal(text));
  return negative ? -value : value;
}

}  // namespace dsm::runtime
