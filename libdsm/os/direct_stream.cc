// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/direct_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "libdsm/base/check.h"

namespace dsm::os {
namespace {

constexpr size_t kBuffer = TransferRing::kBufferBytes;
constexpr mode_t kMode = 0600;

// With O_DIRECT, without it where the file system has none (EINVAL).
Fd open_direct(const Folder& folder, const std::string& name, int flags) {
  Fd fd(::openat(folder.fd(), name.c_str(), flags | O_DIRECT | O_CLOEXEC | O_NOFOLLOW, kMode));
  if (!fd && errno == EINVAL) fd.reset(::openat(folder.fd(), name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, kMode));
  return fd;
}

size_t padded(size_t bytes) { return (bytes + TransferRing::kAlignment - 1) / TransferRing::kAlignment * TransferRing::kAlignment; }

}  // namespace

Result<std::unique_ptr<DirectWriter>> DirectWriter::create(const Folder& folder, const std::string& name) {
  Fd fd = open_direct(folder, name, O_WRONLY | O_CREAT | O_TRUNC);
  if (!fd) return system_error("cannot create " + folder.path_of(name), errno);
  return std::unique_ptr<DirectWriter>(new DirectWriter(std::move(fd), folder.path_of(name)));
}

Status DirectWriter::await(unsigned n) {
  const int64_t done = ring_.await(n);
  if (done < 0) state_ = system_error("cannot write " + path_, static_cast<int>(-done));
  else if (static_cast<size_t>(done) != expected_[n]) state_ = system_error("cannot write " + path_, EIO);
  return state_;
}

Status DirectWriter::flush(size_t bytes) {
  expected_[current_] = bytes;
  ring_.start(current_, fd_.get(), flushed_, bytes);
  flushed_ += bytes;
  filled_ = 0;
  current_ = (current_ + 1) % TransferRing::kBuffers;
  return ring_.busy(current_) ? await(current_) : state_;
}

Status DirectWriter::append(std::span<const std::byte> bytes) {
  while (state_.ok() && !bytes.empty()) {
    const size_t piece = std::min(bytes.size(), kBuffer - filled_);
    std::memcpy(ring_.buffer(current_).data() + filled_, bytes.data(), piece);
    filled_ += piece;
    bytes = bytes.subspan(piece);
    if (filled_ == kBuffer) (void)flush(kBuffer);
  }
  return state_;
}

Result<uint64_t> DirectWriter::finish() {
  if (state_.ok() && filled_ > 0) {
    const size_t bytes = padded(filled_);
    std::memset(ring_.buffer(current_).data() + filled_, 0, bytes - filled_);
    (void)flush(bytes);
  }
  for (unsigned n = 0; n < TransferRing::kBuffers; ++n)
    if (ring_.busy(n)) (void)await(n);
  if (state_.ok() && ::fdatasync(fd_.get()) < 0) state_ = system_error("cannot make durable " + path_, errno);
  if (!state_.ok()) return state_.error();
  return flushed_;
}

Result<std::unique_ptr<DirectReader>> DirectReader::open(const Folder& folder, const std::string& name) {
  auto bytes = folder.bytes_of(name);
  if (!bytes.ok()) return bytes.error();
  Fd fd = open_direct(folder, name, O_RDONLY | O_NONBLOCK);
  if (!fd) return system_error("cannot open " + folder.path_of(name), errno);
  return std::unique_ptr<DirectReader>(new DirectReader(std::move(fd), folder.path_of(name), *bytes));
}

void DirectReader::start(unsigned n, uint64_t offset) {
  ring_.start(n, fd_.get(), offset, offset < bytes_ ? kBuffer : 0);
  next_ = offset + kBuffer;
}

void DirectReader::seek(uint64_t offset) {
  ring_.settle();
  positioned_ = true;
  window_ = offset / TransferRing::kAlignment * TransferRing::kAlignment;
  available_ = 0;
  current_ = 0;
  next_ = window_;
  for (unsigned n = 0; n < TransferRing::kBuffers; ++n) start(n, next_);
}

// Waits for the current window.
Status DirectReader::enter() {
  const int64_t got = ring_.await(current_);
  if (got < 0) {
    positioned_ = false;
    return system_error("cannot read " + path_, static_cast<int>(-got));
  }
  available_ = static_cast<size_t>(got);
  if (available_ != 0) return success();
  positioned_ = false;
  return Error{path_ + " ended early", EIO};
}

Status DirectReader::read(uint64_t offset, std::span<std::byte> into) {
  if (offset > bytes_ || into.size() > bytes_ - offset) return Error{path_ + " is too short", EIO};
  while (!into.empty()) {
    // One window further is still reading in order.
    if (!positioned_ || offset < window_ || offset >= window_ + 2 * kBuffer) seek(offset);
    if (available_ == 0)
      if (auto entered = enter(); !entered.ok()) return entered;
    if (offset >= window_ + kBuffer) {
      start(current_, next_);
      current_ = (current_ + 1) % TransferRing::kBuffers;
      window_ += kBuffer;
      available_ = 0;
      continue;
    }
    if (offset - window_ >= available_) {
      ring_.settle();
      positioned_ = false;
      return Error{path_ + " became shorter while it was read", EIO};
    }
    const size_t piece = std::min<size_t>(into.size(), available_ - (offset - window_));
    std::memcpy(into.data(), ring_.buffer(current_).data() + (offset - window_), piece);
    into = into.subspan(piece);
    offset += piece;
  }
  return success();
}

}  // namespace dsm::os
