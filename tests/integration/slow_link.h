// SPDX-License-Identifier: Apache-2.0
// A relay on loopback that takes connections at once and passes bytes on only after a while: two nodes that are slow to
// connect, as on a loaded machine.
#pragma once
#include <atomic>
#include <cstdint>
#include <thread>

#include "libdsm/os/fd.h"

namespace agent_pair {

class SlowLink {
 public:
  // To 127.0.0.1:`to`. Ends the test if it cannot listen.
  SlowLink(uint16_t to, int hold_ms);
  ~SlowLink();
  SlowLink(const SlowLink&) = delete;
  SlowLink& operator=(const SlowLink&) = delete;

  uint16_t port() const { return port_; }

 private:
  void relay();

  const uint16_t to_;
  const int hold_ms_;
  uint16_t port_ = 0;
  dsm::os::Fd listener_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace agent_pair
