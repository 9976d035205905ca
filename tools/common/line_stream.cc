// SPDX-License-Identifier: Apache-2.0
#include "tools/common/line_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

namespace dsm::tools {

LineStream::~LineStream() { close(); }

LineStream::LineStream(LineStream&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      scanned_(other.scanned_) {}

LineStream& LineStream::operator=(LineStream&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(in_, other.in_);
  std::swap(out_, other.out_);
  std::swap(scanned_, other.scanned_);
  return *this;
}

void LineStream::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  out_.clear();
}

bool LineStream::fill() {
  char buffer[16384];
  while (fd_ >= 0) {
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    if (n == 0) return false;
    in_.append(buffer, static_cast<size_t>(n));
    if (in_.size() > kMaxLineBytes) return false;
  }
  return false;
}

std::optional<std::string> LineStream::next_line() {
  const size_t end = in_.find('\n', scanned_);
  if (end == std::string::npos) {
    scanned_ = in_.size();
    return std::nullopt;
  }
  std::string line = in_.substr(0, end);
  in_.erase(0, end + 1);
  scanned_ = 0;
  return line;
}

void LineStream::send(const nlohmann::json& value) {
  if (fd_ < 0) return;
  out_ += value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  out_ += '\n';
  flush();
}

bool LineStream::flush() {
  while (fd_ >= 0 && !out_.empty()) {
    const ssize_t n = ::send(fd_, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    out_.erase(0, static_cast<size_t>(n));
  }
  return fd_ >= 0;
}

}  // namespace dsm::tools
