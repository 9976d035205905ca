// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/channel_relay.h"

#include <poll.h>

#include <cerrno>
#include <utility>

#include "libdsm/os/socket.h"

namespace dsm::transport {
namespace {

constexpr size_t kReadBytes = 16 * 1024;

}  // namespace

ChannelRelay::ChannelRelay(os::Reactor& reactor, NodeId peer, os::Fd connection, std::unique_ptr<StreamCipher> cipher,
                           os::Fd local)
    : reactor_(reactor), peer_(peer), connection_(std::move(connection)), local_(std::move(local)),
      sealed_(std::move(cipher)), outgoing_(kReadBytes), plain_(kReadBytes) {
  constexpr uint32_t kEvents = POLLIN | POLLOUT | POLLRDHUP;
  connection_watch_ = reactor_.watch(connection_.get(), kEvents, [this](uint32_t) { pump(); });
  local_watch_ = reactor_.watch(local_.get(), kEvents, [this](uint32_t) { pump(); });
}

ChannelRelay::~ChannelRelay() { close(); }

void ChannelRelay::close() {
  finished_ = true;
  reactor_.unwatch(std::exchange(connection_watch_, 0));
  reactor_.unwatch(std::exchange(local_watch_, 0));
  connection_.reset();
  local_.reset();
}

// Readiness is reported once per change, so each call goes on until neither direction can.
void ChannelRelay::pump() {
  for (bool moved = true; moved && !finished_;) {
    moved = outward();
    if (!finished_) moved |= inward();
  }
}

// From the runtime to the connection. Whether anything moved.
bool ChannelRelay::outward() {
  const bool moved = sealed_.queued_bytes() > 0 && send_sealed();
  if (finished_ || sealed_.queued_bytes() >= kMaxHeldBytes) return moved;
  if (local_ended_) {
    if (sealed_.queued_bytes() == 0) close();
    return moved;
  }
  const long n = os::receive_now(local_.get(), outgoing_);
  if (n == -EAGAIN) return moved;
  if (n <= 0) {
    local_ended_ = true;
    sealed_.seal_end();
    return true;
  }
  const Bytes parts[] = {Bytes(outgoing_).first(static_cast<size_t>(n))};
  if (!sealed_.seal(parts)) close();
  else send_sealed();
  return true;
}

bool ChannelRelay::send_sealed() {
  uint64_t sent = 0, calls = 0;
  if (sealed_.flush(connection_.get(), &sent, &calls) != 0) close();
  return sent > 0;
}

// From the connection to the runtime. Whether anything moved.
bool ChannelRelay::inward() {
  if (local_ended_) return false;  // nobody is there to hear it
  if (plain_begin_ < plain_end_) return hand_over();
  auto opened = sealed_.open(plain_);
  if (!opened) return close(), false;
  if (*opened > 0) {
    plain_begin_ = 0;
    plain_end_ = *opened;
    return true;
  }
  if (remote_ended_ || sealed_.ended()) return close(), false;
  const long n = os::receive_now(connection_.get(), sealed_.space());
  if (n == -EAGAIN) return false;
  if (n <= 0) remote_ended_ = true;
  else if (!sealed_.feed(sealed_.space().first(static_cast<size_t>(n)))) close();
  return true;
}

bool ChannelRelay::hand_over() {
  const long n = os::send_now(local_.get(), Bytes(plain_).subspan(plain_begin_, plain_end_ - plain_begin_));
  if (n == -EAGAIN) return false;
  // The runtime has closed its end: what it said before is still to be read there, and sent.
  plain_begin_ = n < 0 ? plain_end_ : plain_begin_ + static_cast<size_t>(n);
  return true;
}

}  // namespace dsm::transport
