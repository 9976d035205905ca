// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/sealed_stream.h"

#include <algorithm>
#include <cerrno>

#include "libdsm/os/socket.h"

namespace dsm::transport {
namespace {

// A full TLS record with what it adds; two of them, so that a receive is rarely cut inside one.
constexpr size_t kReceiveBytes = 2 * (16 * 1024 + 256);
constexpr size_t kRecordBytes = 16 * 1024;
// Bytes that have left are forgotten when there are so many, and at once when nothing waits.
constexpr size_t kForgetBytes = 1 << 20;

}  // namespace

SealedStream::SealedStream(std::unique_ptr<StreamCipher> cipher) : cipher_(std::move(cipher)), in_(kReceiveBytes) {}

Status SealedStream::seal(std::span<const Bytes> parts) {
  gathered_.clear();
  for (Bytes part : parts) {
    while (!part.empty()) {
      if (gathered_.empty() && part.size() >= kRecordBytes) {
        const Bytes whole = part.first(part.size() / kRecordBytes * kRecordBytes);
        if (auto status = cipher_->seal(whole, out_); !status) return status;
        part = part.subspan(whole.size());
        continue;
      }
      const size_t n = std::min(part.size(), kRecordBytes - gathered_.size());
      gathered_.insert(gathered_.end(), part.begin(), part.begin() + static_cast<ptrdiff_t>(n));
      part = part.subspan(n);
      if (gathered_.size() < kRecordBytes) continue;
      if (auto status = cipher_->seal(gathered_, out_); !status) return status;
      gathered_.clear();
    }
  }
  return gathered_.empty() ? success() : cipher_->seal(gathered_, out_);
}

int SealedStream::flush(int fd, uint64_t* sent, uint64_t* calls) {
  while (queued_bytes() > 0) {
    ++*calls;
    const long n = os::send_now(fd, Bytes(out_).subspan(out_begin_));
    if (n == -EAGAIN) break;
    if (n < 0) return static_cast<int>(n);
    out_begin_ += static_cast<size_t>(n);
    *sent += static_cast<uint64_t>(n);
  }
  if (queued_bytes() == 0 || out_begin_ >= kForgetBytes) {
    out_.erase(out_.begin(), out_.begin() + static_cast<ptrdiff_t>(out_begin_));
    out_begin_ = 0;
  }
  return 0;
}

}  // namespace dsm::transport
