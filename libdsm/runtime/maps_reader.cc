// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/maps_reader.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>

#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/sys.h"

namespace dsm::runtime {
namespace {

// Mappings begin with lower-case hexadecimal, details with a capital letter.
bool is_mapping(const char* line) { return (*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f'); }

const char* skip_word(const char* text) {
  while (*text != ' ' && *text != 0) text++;
  while (*text == ' ') text++;
  return text;
}

}  // namespace

MapsReader::MapsReader(const char* path) : fd_(sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)) { next(); }

MapsReader::~MapsReader() {
  if (!is_error(fd_)) sys(__NR_close, fd_);
}

bool MapsReader::read_line() {
  size_t length = 0;
  for (;;) {
    if (taken_ == filled_) {
      const int64_t got = is_error(fd_) ? 0 : sys(__NR_read, fd_, chunk_, sizeof chunk_);
      if (got == -EINTR) continue;
      if (got <= 0) return false;
      filled_ = static_cast<size_t>(got);
      taken_ = 0;
    }
    const char byte = chunk_[taken_++];
    if (byte == '\n') break;
    if (length + 1 < sizeof line_) line_[length++] = byte;
  }
  line_[length] = 0;
  return true;
}

void MapsReader::parse_mapping() {
  memcpy(mapping_line_, line_, sizeof line_);
  const char* at = mapping_line_;
  mapping_.start = parse_hex(&at);
  at++;
  mapping_.end = parse_hex(&at);
  at++;
  memcpy(mapping_.rights, at, 4);
  mapping_.rights[4] = 0;
  at = skip_word(at);
  mapping_.offset = parse_hex(&at);
  mapping_.rest = at = skip_word(at);
  at = skip_word(at);
  mapping_.has_file = *at != '0';
  mapping_.name = skip_word(at);
}

void MapsReader::next() {
  while (line_waits_ || read_line()) {
    line_waits_ = false;
    if (is_mapping(line_)) return parse_mapping();
  }
  mapping_ = {~uint64_t{0}, ~uint64_t{0}, 0, {}, "", "", false};
}

const char* MapsReader::next_detail() {
  if (line_waits_ || !read_line()) return nullptr;
  if (!is_mapping(line_)) return line_;
  line_waits_ = true;
  return nullptr;
}

}  // namespace dsm::runtime
