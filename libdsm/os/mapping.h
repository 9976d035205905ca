// SPDX-License-Identifier: Apache-2.0
// A shared, read-only mapping of a memfd that another process writes.
#pragma once
#include <cstddef>

#include "libdsm/os/fd.h"

namespace dsm::os {

class ReadOnlyMapping {
 public:
  ReadOnlyMapping() = default;
  // No mapping (address() == nullptr) if the file is shorter than `bytes`: reading behind its end would be SIGBUS.
  ReadOnlyMapping(Fd fd, size_t bytes);
  ReadOnlyMapping(ReadOnlyMapping&& other) noexcept;
  ReadOnlyMapping& operator=(ReadOnlyMapping&& other) noexcept;
  ~ReadOnlyMapping();

  const void* address() const { return address_; }

 private:
  void* address_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace dsm::os
