// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {

int64_t copy_string_from_program(char* to, uint64_t from, size_t capacity) {
  size_t done = 0;
  while (done < capacity) {
    // Up to the end of a page (or a cache line, for the short common case) in one copy: a string may end anywhere before.
    size_t piece = 64 - ((from + done) & 63);
    if (piece > capacity - done) piece = capacity - done;
    if (const int64_t error = copy_from_program(to + done, from + done, piece); error != 0) return error;
    for (size_t i = done; i < done + piece; i++)
      if (to[i] == 0) return static_cast<int64_t>(i);
    done += piece;
  }
  return -ENAMETOOLONG;
}

}  // namespace dsm::runtime
