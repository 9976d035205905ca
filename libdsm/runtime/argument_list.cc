// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/argument_list.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {

ArgumentList::ArgumentList(Arena& arena)
    : arena_(arena),
      text_(static_cast<char*>(arena.take(kMaxBytes))),
      item_(static_cast<char**>(arena.take((kMaxItems + kRoomInFront + 1) * sizeof(char*)))) {}

ArgumentList::~ArgumentList() {
  arena_.give_back(text_, kMaxBytes);
  arena_.give_back(item_, (kMaxItems + kRoomInFront + 1) * sizeof(char*));
}

int64_t ArgumentList::push(size_t length) {
  if (count_ == kMaxItems) return -E2BIG;
  item_[first_ + count_++] = text_ + used_;
  item_[first_ + count_] = nullptr;
  used_ += length + 1;
  return 0;
}

int64_t ArgumentList::append(const char* text) {
  const size_t length = strlen(text);
  if (length >= kMaxBytes - used_) return -E2BIG;
  memcpy(text_ + used_, text, length + 1);
  return push(length);
}

int64_t ArgumentList::append_from_program(uint64_t address) {
  const int64_t length = copy_string_from_program(text_ + used_, address, kMaxBytes - used_);
  if (length == -ENAMETOOLONG) return -E2BIG;
  if (length < 0) return length;
  return push(static_cast<size_t>(length));
}

int64_t ArgumentList::append_array_from_program(uint64_t array) {
  if (array == 0) return 0;
  for (;; array += sizeof(uint64_t)) {
    uint64_t address;
    if (const int64_t error = read_program(address, array); error != 0) return error;
    if (address == 0) return 0;
    if (const int64_t error = append_from_program(address); error != 0) return error;
  }
}

int64_t ArgumentList::prepend(const char* text) {
  if (first_ == 0) return -E2BIG;
  const size_t length = strlen(text);
  if (length >= kMaxBytes - used_) return -E2BIG;
  item_[--first_] = text_ + used_;
  memcpy(text_ + used_, text, length + 1);
  used_ += length + 1;
  count_++;
  return 0;
}

void ArgumentList::drop_first() {
  RT_CHECK(count_ > 0);
  first_++;
  count_--;
}

}  // namespace dsm::runtime
