// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/transport/meddler.h"

#include <gtest/gtest.h>

namespace dsm::transport::testing {

Meddler::Meddler(const Endpoint& target) : target_(target) {
  auto listener = os::tcp_listen({"127.0.0.1", 0}, 16);
  EXPECT_TRUE(listener);
  listener_ = std::move(*listener);
  at_ = {"127.0.0.1", os::local_address(listener_.get()).value().port, "meddler"};
}

void Meddler::accept_all() {
  for (;;) {
    auto dialer = os::tcp_accept(listener_.get());
    if (!dialer || !*dialer) return;
    auto target = os::tcp_connect({target_.address, target_.port});
    EXPECT_TRUE(target);
    pairs_.push_back({std::move(*dialer), std::move(*target), {}, {}});
  }
}

// False: the connection is over.
bool Meddler::move(size_t index, bool to_dialer) {
  Pair& pair = pairs_[index];
  const os::Fd& from = to_dialer ? pair.target : pair.dialer;
  const os::Fd& to = to_dialer ? pair.dialer : pair.target;
  std::vector<std::byte>& held = to_dialer ? pair.to_dialer : pair.to_target;
  if (held.empty()) {
    held.resize(64 * 1024);
    const long n = os::receive_now(from.get(), held);
    held.resize(n > 0 ? static_cast<size_t>(n) : 0);
    if (n == 0 || (n < 0 && n != -EAGAIN && n != -ENOTCONN)) return false;
    if (!held.empty() && meddle && !meddle(index, to_dialer, held)) return false;
  }
  if (held.empty()) return true;
  const long n = os::send_now(to.get(), held);
  if (n == -EAGAIN || n == -ENOTCONN) return true;
  if (n < 0) return false;
  held.erase(held.begin(), held.begin() + n);
  return true;
}

void Meddler::pump() {
  accept_all();
  for (size_t i = 0; i < pairs_.size(); ++i) {
    if (!pairs_[i].dialer) continue;
    if (move(i, true) && move(i, false)) continue;
    pairs_[i].dialer.reset();
    pairs_[i].target.reset();
  }
}

}  // namespace dsm::transport::testing
