// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/tcp_link.h"

#include <poll.h>

#include <cerrno>
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/os/socket.h"

namespace dsm::transport {

TcpLink::TcpLink(LinkClass link_class, os::Fd fd, std::unique_ptr<StreamCipher> cipher, os::Reactor& reactor,
                 LinkOwner& owner, FrameSink& sink, const FrameLimits& limits, uint64_t max_queued_bytes)
    : class_(link_class), fd_(std::move(fd)), reactor_(reactor), owner_(owner), max_queued_bytes_(max_queued_bytes),
      first_(sizeof(FrameHead) + limits.header_bytes),
      reader_(sink, FrameLimits{limits.header_bytes, link_class == LinkClass::kData ? limits.payload_bytes : 0}),
      sealed_(cipher ? std::make_unique<SealedStream>(std::move(cipher)) : nullptr) {}

TcpLink::~TcpLink() {
  reactor_.unwatch(receive_watch_);
  reactor_.unwatch(send_watch_);
}

Sent TcpLink::send(Bytes header, std::span<const Bytes> payload, uint64_t token) {
  uint64_t payload_bytes = 0;
  for (Bytes slice : payload) payload_bytes += slice.size();
  DSM_CHECK(!header.empty() && payload_bytes <= UINT32_MAX);
  if (failed_) return Sent::kTaken;
  const FrameHead head{static_cast<uint32_t>(header.size()), static_cast<uint32_t>(payload_bytes)};
  const uint64_t size = sizeof head + header.size() + payload_bytes;
  if (sealed_) {
    send_sealed(head, header, payload);
    return Sent::kTaken;
  }

  uint64_t left = 0;  // bytes that the socket took
  if (queue_.empty()) {
    const long n = send_first(head, header, payload);
    if (n < 0 && n != -EAGAIN) {
      fail(system_error("the connection broke while sending", static_cast<int>(-n)));
      return Sent::kTaken;
    }
    if (n > 0) left = static_cast<uint64_t>(n);
    counters_.bytes_out += left;
    if (left == size) return Sent::kTaken;
  }
  counters_.payload_bytes_copied += queue_.push(head, header, payload, token, left);
  if (queue_.bytes() > max_queued_bytes_) {
    fail(Error{"leaves " + std::to_string(queue_.bytes()) + " bytes unread", ENOBUFS});
    return token == 0 ? Sent::kTaken : Sent::kPending;  // close() reports it
  }
  await_room();
  return token == 0 ? Sent::kTaken : Sent::kPending;
}

void TcpLink::send_sealed(const FrameHead& head, Bytes header, std::span<const Bytes> payload) {
  const bool nothing_waits = sealed_->queued_bytes() == 0;
  std::vector<Bytes> parts{std::as_bytes(std::span(&head, 1)), header};
  parts.insert(parts.end(), payload.begin(), payload.end());
  counters_.payload_bytes_copied += head.payload_bytes;
  if (auto status = sealed_->seal(parts); !status) return fail(status.error());
  if (nothing_waits) flush();
  if (sealed_->queued_bytes() > max_queued_bytes_)
    return fail(Error{"leaves " + std::to_string(sealed_->queued_bytes()) + " bytes unread", ENOBUFS});
  if (!failed_ && sealed_->queued_bytes() > 0) await_room();
}

// The head and the header go out of one buffer: fewer parts make a cheaper call.
long TcpLink::send_first(const FrameHead& head, Bytes header, std::span<const Bytes> payload) {
  std::memcpy(first_.data(), &head, sizeof head);
  std::memcpy(first_.data() + sizeof head, header.data(), header.size());
  ++counters_.system_calls;
  const size_t front = sizeof head + header.size();
  if (payload.empty()) return os::send_now(fd_.get(), std::span<const std::byte>(first_).first(front));
  parts_.clear();
  parts_.push_back({first_.data(), front});
  for (Bytes slice : payload) {
    if (parts_.size() == IOV_MAX) break;
    parts_.push_back({const_cast<std::byte*>(slice.data()), slice.size()});
  }
  return os::send_now(fd_.get(), parts_);
}

void TcpLink::await_room() {
  if (send_watch_ == 0) send_watch_ = reactor_.watch(fd_.get(), POLLOUT, [this](uint32_t) { on_writable(); });
}

void TcpLink::arm() {
  if (armed() || failed_) return;
  if (class_ == LinkClass::kMessages) {
    receive_watch_ = reactor_.watch_stream(fd_.get(), [this](Bytes bytes, int error) { on_arrived(bytes, error); });
  } else {
    receive_watch_ = reactor_.watch(fd_.get(), POLLIN | POLLRDHUP, [this](uint32_t revents) { on_readable(revents); });
  }
}

void TcpLink::on_readable(uint32_t revents) {
  if (!failed_) receive((revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
  owner_.on_link_event(*this);
}

void TcpLink::on_writable() {
  if (!failed_) flush();
  owner_.on_link_event(*this);
}

void TcpLink::on_arrived(Bytes bytes, int error) {
  if (failed_) return;
  if (bytes.empty()) {
    end_of_stream(error);
  } else if (sealed_) {
    open_sealed(bytes);
  } else {
    counters_.bytes_in += bytes.size();
    if (auto status = reader_.feed(bytes); !status) fail(status.error());
  }
  owner_.on_link_event(*this);
}

bool TcpLink::probe() {
  // A receive must not overtake bytes that the reactor has taken from the same socket.
  if (failed_ || (class_ == LinkClass::kMessages && armed() && !reactor_.drained())) return false;
  return receive(false);
}

// A receive that does not fill its space has emptied the socket, so no second call has to say so; unless the end of
// the stream is behind it, of which the reactor tells (or the next probe).
bool TcpLink::receive(bool until_end) {
  for (bool any = false;; any = true) {
    const auto space = sealed_ ? sealed_->space() : reader_.space();
    ++counters_.system_calls;
    const long n = os::receive_now(fd_.get(), space);
    if (n == -EAGAIN) return any;
    if (n <= 0) {
      end_of_stream(static_cast<int>(-n));
      return true;
    }
    const bool emptied = static_cast<size_t>(n) < space.size();
    if (sealed_) open_sealed(space.first(static_cast<size_t>(n)));
    else take(static_cast<size_t>(n));
    if (failed_ || (emptied && !until_end)) return true;
  }
}

void TcpLink::take(size_t bytes) {
  counters_.bytes_in += bytes;
  deliver(bytes);
}

void TcpLink::deliver(size_t bytes) {
  const uint64_t copied_before = reader_.payload_bytes_copied();
  if (auto status = reader_.received(bytes); !status) fail(status.error());
  counters_.payload_bytes_copied += reader_.payload_bytes_copied() - copied_before;
}

void TcpLink::open_sealed(Bytes received) {
  counters_.bytes_in += received.size();
  if (auto status = sealed_->feed(received); !status) return fail(status.error());
  while (!failed_) {
    auto opened = sealed_->open(reader_.space());
    if (!opened) return fail(opened.error());
    if (*opened == 0) break;
    deliver(*opened);
  }
  if (failed_) return;
  if (sealed_->ended()) return end_of_stream(0);
  if (sealed_->queued_bytes() > 0) {  // an answer of the cipher, or what waited before
    flush();
    if (!failed_ && sealed_->queued_bytes() > 0) await_room();
  }
}

void TcpLink::flush() {
  if (sealed_) {
    const int broken = sealed_->flush(fd_.get(), &counters_.bytes_out, &counters_.system_calls);
    if (broken != 0) fail(system_error("the connection broke while sending", -broken));
    return;
  }
  const int error = queue_.flush(fd_.get(), [this](uint64_t token) { owner_.on_sent(token); }, &counters_.bytes_out,
                                 &counters_.system_calls);
  if (error != 0) fail(system_error("the connection broke while sending", -error));
}

void TcpLink::end_of_stream(int error) {
  if (error != 0) return fail(system_error("the connection broke", error));
  fail(Error{reader_.in_frame() ? "closed the connection in the middle of a message" : "closed the connection",
             ECONNRESET});
}

void TcpLink::fail(Error error) {
  if (!failed_) failed_ = std::move(error);
}

void TcpLink::close() {
  if (sealed_ && !failed_) {
    sealed_->seal_end();
    flush();  // if there is room; the end of the connection says the same, only that anybody could have caused it
  }
  fail(Error{"closed by this node", ECANCELED});
  reactor_.unwatch(std::exchange(receive_watch_, 0));
  reactor_.unwatch(std::exchange(send_watch_, 0));
  fd_.reset();
  queue_.drop([this](uint64_t token) { owner_.on_sent(token); });
}

}  // namespace dsm::transport
