// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <utility>

namespace dsm::os {

SharedMapping::SharedMapping(Fd fd, size_t bytes) : bytes_(bytes) {
  struct stat info;
  if (::fstat(fd.get(), &info) < 0 || info.st_size < static_cast<off_t>(bytes)) return;
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at != MAP_FAILED) address_ = at;
}

SharedMapping::SharedMapping(SharedMapping&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), bytes_(other.bytes_) {}

SharedMapping& SharedMapping::operator=(SharedMapping&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

SharedMapping::~SharedMapping() {
  if (address_ != nullptr) ::munmap(address_, bytes_);
}

}  // namespace dsm::os
