// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/slow_link.h"

#include <array>
#include <cstddef>
#include <poll.h>
#include <vector>

#include "libdsm/os/clock.h"
#include "libdsm/os/socket.h"
#include "libdsm/os/stream.h"
#include "tests/integration/agent_pair_runtime.h"

namespace agent_pair {

using namespace dsm;

namespace {

constexpr int kLookMs = 20;  // how late the end is noticed

// All that is there now, from one to the other. False at the end of the stream.
bool pass_on(int from, int to) {
  std::array<std::byte, 65536> bytes;
  for (long n; (n = os::receive_now(from, bytes)) != -EAGAIN;) {
    if (n <= 0) return false;
    for (std::span<const std::byte> left(bytes.data(), static_cast<size_t>(n)); !left.empty();) {
      const long sent = os::send_now(to, left);
      if (sent == -EAGAIN) {
        pollfd room{to, POLLOUT, 0};
        ::poll(&room, 1, kLookMs);
      } else if (sent <= 0) {
        return false;
      } else {
        left = left.subspan(static_cast<size_t>(sent));
      }
    }
  }
  return true;
}

}  // namespace

SlowLink::SlowLink(uint16_t to, int hold_ms) : to_(to), hold_ms_(hold_ms) {
  auto listener = os::tcp_listen({"127.0.0.1", 0}, 8);
  if (!listener) give_up("relay: " + listener.error().what);
  listener_ = std::move(*listener);
  port_ = os::local_address(listener_.get())->port;
  thread_ = std::thread([this] { relay(); });
}

SlowLink::~SlowLink() {
  stop_ = true;
  thread_.join();
}

void SlowLink::relay() {
  struct Pair {
    os::Fd near, far;
  };
  std::vector<Pair> pairs;
  const TimeNs open_at = os::now_ns() + TimeNs(hold_ms_) * 1'000'000;
  while (!stop_) {
    std::vector<pollfd> waits{{listener_.get(), POLLIN, 0}};
    const bool open = os::now_ns() >= open_at;
    if (open)
      for (const Pair& p : pairs) {
        waits.push_back({p.near.get(), POLLIN, 0});
        waits.push_back({p.far.get(), POLLIN, 0});
      }
    ::poll(waits.data(), waits.size(), kLookMs);
    if (auto near = os::tcp_accept(listener_.get()); near && near->get() >= 0) {
      auto far = os::tcp_connect({"127.0.0.1", to_});
      if (far) pairs.push_back({std::move(*near), std::move(*far)});
    }
    if (!open) continue;
    std::erase_if(pairs, [](Pair& p) { return !pass_on(p.near.get(), p.far.get()) || !pass_on(p.far.get(), p.near.get()); });
  }
}

}  // namespace agent_pair
