// SPDX-License-Identifier: Apache-2.0
// Memory that a process shares with the children that it forks, so that what a child found survives its crash.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "libdsm/base/check.h"

namespace dsm::sim {

class SharedMemory {
 public:
  explicit SharedMemory(size_t bytes) : bytes_(bytes) {
    address_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    DSM_CHECK(address_ != MAP_FAILED);
  }
  ~SharedMemory() { munmap(address_, bytes_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  void* address() const { return address_; }

 private:
  size_t bytes_;
  void* address_;
};

// For a child whose last words are expected and of no interest.
inline void silence_stderr() {
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null >= 0) dup2(null, STDERR_FILENO);
}

}  // namespace dsm::sim
