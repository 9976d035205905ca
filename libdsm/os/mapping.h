// SPDX-License-Identifier: Apache-2.0
// A shared mapping of a memfd that another process has mapped as well. Whoever reads what the other writes checks it.
#pragma once
#include <cstddef>

#include "libdsm/os/fd.h"

namespace dsm::os {

class SharedMapping {
 public:
  SharedMapping() = default;
  // No mapping (address() == nullptr) if the file is shorter than `bytes`: reading behind its end would be SIGBUS.
  SharedMapping(Fd fd, size_t bytes);
  SharedMapping(SharedMapping&& other) noexcept;
  SharedMapping& operator=(SharedMapping&& other) noexcept;
  ~SharedMapping();

  void* address() const { return address_; }

 private:
  void* address_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace dsm::os
