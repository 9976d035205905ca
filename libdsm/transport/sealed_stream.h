// SPDX-License-Identifier: Apache-2.0
// SealedStream: a StreamCipher with the bytes that wait on either side of it, for the owner of a socket. Sealed bytes
// wait here until the socket takes them; the payload that they were made of may be used again at once.
#pragma once
#include <memory>

#include "libdsm/transport/stream_cipher.h"
#include "libdsm/transport/transport.h"

namespace dsm::transport {

class SealedStream {
 public:
  explicit SealedStream(std::unique_ptr<StreamCipher> cipher);

  // Queues the concatenation of the parts.
  Status seal(std::span<const Bytes> parts);
  void seal_end() { cipher_->seal_end(out_); }
  // Sends as much as the socket takes. 0, or -errno (never -EAGAIN). *sent counts bytes, *calls system calls.
  int flush(int fd, uint64_t* sent, uint64_t* calls);
  uint64_t queued_bytes() const { return out_.size() - out_begin_; }

  // Where received bytes may be put before they are given to feed(); never empty.
  std::span<std::byte> space() { return in_; }
  Status feed(Bytes sealed) { return cipher_->feed(sealed); }
  // Plain bytes; 0: no more now. May queue an answer.
  Result<size_t> open(std::span<std::byte> into) { return cipher_->open(into, out_); }
  bool ended() const { return cipher_->ended(); }

 private:
  std::unique_ptr<StreamCipher> cipher_;
  std::vector<std::byte> in_;
  std::vector<std::byte> gathered_;  // small parts, so that they become one record
  std::vector<std::byte> out_;
  size_t out_begin_ = 0;             // of what has not left yet
};

}  // namespace dsm::transport
