// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/send_queue.h"

#include <cerrno>

#include "libdsm/os/socket.h"

namespace dsm::transport {
namespace {

constexpr size_t kPartsPerCall = 64;

void append(std::vector<std::byte>& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

}  // namespace

uint64_t SendQueue::push(const FrameHead& head, Bytes header, std::span<const Bytes> payload, uint64_t token,
                         uint64_t already_sent) {
  Frame frame;
  frame.token = token;
  frame.size = sizeof head + head.header_bytes + head.payload_bytes;
  uint64_t skip = already_sent;  // bytes that need not be kept
  uint64_t copied = 0;
  const auto keep = [&](Bytes bytes, bool copy) {
    const uint64_t n = std::min<uint64_t>(skip, bytes.size());
    skip -= n;
    if (n == bytes.size()) return;
    if (copy) append(frame.owned, bytes.subspan(n));
    else frame.borrowed.push_back(bytes.subspan(n));
  };
  keep(std::as_bytes(std::span(&head, 1)), true);
  keep(header, true);
  const uint64_t headers_kept = frame.owned.size();
  for (Bytes slice : payload) keep(slice, token == 0);
  if (token == 0) copied = frame.owned.size() - headers_kept;
  frame.size -= already_sent;
  bytes_ += frame.size;
  queue_.push_back(std::move(frame));
  return copied;
}

void SendQueue::gather(std::vector<iovec>& parts) const {
  parts.clear();
  uint64_t skip = front_offset_;
  const auto add = [&](Bytes bytes) {
    const uint64_t n = std::min<uint64_t>(skip, bytes.size());
    skip -= n;
    if (n < bytes.size()) parts.push_back({const_cast<std::byte*>(bytes.data()) + n, bytes.size() - n});
  };
  for (const Frame& frame : queue_) {
    add(frame.owned);
    for (Bytes slice : frame.borrowed) {
      if (parts.size() >= kPartsPerCall) return;
      add(slice);
    }
    if (parts.size() >= kPartsPerCall) return;
  }
}

int SendQueue::flush(int fd, const SentCallback& done, uint64_t* sent, uint64_t* calls) {
  while (!queue_.empty()) {
    gather(parts_);
    ++*calls;
    const long n = os::send_now(fd, parts_);
    if (n == -EAGAIN) return 0;
    if (n < 0) return static_cast<int>(n);
    *sent += static_cast<uint64_t>(n);
    consume(static_cast<uint64_t>(n), done);
  }
  return 0;
}

void SendQueue::consume(uint64_t bytes, const SentCallback& done) {
  bytes_ -= bytes;
  front_offset_ += bytes;
  while (!queue_.empty() && front_offset_ >= queue_.front().size) {
    front_offset_ -= queue_.front().size;
    const uint64_t token = queue_.front().token;
    queue_.pop_front();
    if (token != 0) done(token);
  }
}

void SendQueue::drop(const SentCallback& done) {
  std::deque<Frame> dropped;
  dropped.swap(queue_);
  bytes_ = front_offset_ = 0;
  for (const Frame& frame : dropped)
    if (frame.token != 0) done(frame.token);
}

}  // namespace dsm::transport
