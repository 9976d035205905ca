// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/stream.h"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dsm::os {

int read_some(int fd, std::span<std::byte> into) {
  for (;;) {
    ssize_t n = ::read(fd, into.data(), into.size());
    if (n >= 0) return static_cast<int>(n);
    if (errno != EINTR) return -errno;
  }
}

int write_all(int fd, std::span<const std::byte> from, int patience_ms) {
  while (!from.empty()) {
    ssize_t n = ::write(fd, from.data(), from.size());
    if (n >= 0) {
      from = from.subspan(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd wait{fd, POLLOUT, 0};
      if (::poll(&wait, 1, patience_ms) == 0) return -ETIMEDOUT;
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return 0;
}

bool wait_readable(int fd, int patience_ms) {
  pollfd wait{fd, POLLIN, 0};
  int ready;
  do ready = ::poll(&wait, 1, patience_ms);
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

int make_stream_pair(Fd* a, Fd* b) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  a->reset(pair[0]);
  b->reset(pair[1]);
  return 0;
}

}  // namespace dsm::os
