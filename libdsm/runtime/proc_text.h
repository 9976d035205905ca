// SPDX-License-Identifier: Apache-2.0
// Small files of /proc, and lines and fields in them. Context: handler at the origin.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace dsm::runtime {

// A whole file of at most `capacity - 1` bytes, terminated; its length, or -errno.
int64_t read_small_file(const char* path, char* to, size_t capacity);
// What follows `name` at the beginning of a line, blanks skipped; nullptr if no line begins so.
const char* field_of(const char* text, const char* name);
// The line behind the one at `line`, or nullptr.
const char* next_line(const char* line);
// A hexadecimal mask of a status file; 0 if there is none.
uint64_t status_mask(const char* path, const char* field);
// Decimal digits with a sign.
int64_t parse_signed(const char** text);
const char* skip_blanks(const char* text);

}  // namespace dsm::runtime
