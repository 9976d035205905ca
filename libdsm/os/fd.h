// SPDX-License-Identifier: Apache-2.0
// Fd: a file descriptor that closes itself. Movable, not copyable; -1 is "none".
#pragma once
#include <utility>

namespace dsm::os {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Sets O_NONBLOCK, O_CLOEXEC (descriptor flag). 0 or -errno.
int set_nonblocking(int fd, bool on);
int set_close_on_exec(int fd, bool on);

}  // namespace dsm::os
