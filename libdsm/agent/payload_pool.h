// SPDX-License-Identifier: Apache-2.0
// PayloadPool: buffers that hold page contents while the transport sends them. Reused, so that the steady state allocates
// nothing. Owner-thread only.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace dsm::agent {

using BufferId = uint64_t;
inline constexpr BufferId kNoBuffer = 0;  // also transport::Transport's "no token"

class PayloadPool {
 public:
  struct Buffer {
    BufferId id;
    std::span<std::byte> bytes;
  };
  Buffer take(size_t bytes);
  void give_back(BufferId id);

 private:
  struct Slot {
    std::unique_ptr<std::byte[]> memory;
    size_t size = 0;
    bool taken = false;
  };
  std::vector<Slot> slots_;  // BufferId is index + 1
};

}  // namespace dsm::agent
