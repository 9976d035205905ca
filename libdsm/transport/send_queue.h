// SPDX-License-Identifier: Apache-2.0
// SendQueue: what one connection could not send at once. Headers are copied; payload is copied or borrowed.
#pragma once
#include <sys/uio.h>

#include <deque>
#include <functional>
#include <vector>

#include "libdsm/transport/frame.h"
#include "libdsm/transport/transport.h"

namespace dsm::transport {

class SendQueue {
 public:
  using SentCallback = std::function<void(uint64_t token)>;

  bool empty() const { return queue_.empty(); }
  uint64_t bytes() const { return bytes_; }

  // Queues the frame without its first `already_sent` bytes. With a token the slices are borrowed until the callback
  // of flush() or drop(), otherwise copied; returns the payload bytes copied.
  uint64_t push(const FrameHead& head, Bytes header, std::span<const Bytes> payload, uint64_t token,
                uint64_t already_sent);

  // Sends as much as the socket takes. 0, or -errno (never -EAGAIN). *sent counts bytes, *calls system calls.
  int flush(int fd, const SentCallback& done, uint64_t* sent, uint64_t* calls);

  // Forgets everything; borrowed payloads are free again.
  void drop(const SentCallback& done);

 private:
  struct Frame {
    std::vector<std::byte> owned;   // head, header and, unless borrowed, payload
    std::vector<Bytes> borrowed;
    uint64_t token = 0;
    uint64_t size = 0;              // of both
  };
  void gather(std::vector<iovec>& parts) const;
  void consume(uint64_t bytes, const SentCallback& done);

  std::deque<Frame> queue_;
  std::vector<iovec> parts_;
  uint64_t front_offset_ = 0;       // bytes of the first frame that have left
  uint64_t bytes_ = 0;
};

}  // namespace dsm::transport
