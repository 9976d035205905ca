// SPDX-License-Identifier: Apache-2.0
// Memfd: the sparse file behind the program's memory; file offset = virtual address. Reading and writing here never
// raises a userfault, since userfaults belong to the runtime's mappings. Owner-thread only.
//
// pread of a hole gives zeros and allocates nothing; that is why content is not read through mappings (a read of a
// hole through a shared mapping allocates the page, and it would count as present from then on).
// Results: 0 or -errno.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "libdsm/os/fd.h"

namespace dsm::os {

class Memfd {
 public:
  Memfd() = default;
  explicit Memfd(Fd fd) : fd_(std::move(fd)) {}
  static Memfd create(const char* name, uint64_t bytes);  // !valid() and errno on failure

  bool valid() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  Memfd duplicate() const;   // another descriptor of the same file; !valid() and errno on failure
  int read(uint64_t offset, std::span<std::byte> into) const;
  int write(uint64_t offset, std::span<const std::byte> from);
  uint64_t bytes_held() const;   // that its content takes
  // Frees the content; mappings of it vanish everywhere.
  int punch(uint64_t offset, uint64_t length);
  // First offset at or behind `offset` that has content; -ENXIO: none.
  int64_t next_data(uint64_t offset) const;
  int64_t next_hole(uint64_t offset) const;
  // Where the content that begins at `offset` ends, at most `limit`. Both are multiples of the page size.
  int64_t end_of_data(uint64_t offset, uint64_t limit) const;

 private:
  Fd fd_;
};

// Reads exactly `into` from a file; what lies behind its end is zero (as a mapping shows it). 0 or -errno.
int read_file_padded(int fd, uint64_t offset, std::span<std::byte> into);

}  // namespace dsm::os
