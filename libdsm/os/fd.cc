// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/fd.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace dsm::os {
namespace {

int change_flag(int fd, int get, int set, int flag, bool on) {
  int flags = ::fcntl(fd, get);
  if (flags < 0) return -errno;
  int wanted = on ? flags | flag : flags & ~flag;
  if (wanted != flags && ::fcntl(fd, set, wanted) < 0) return -errno;
  return 0;
}

}  // namespace

void Fd::reset(int fd) {
  // Linux frees the number even when close() fails with EINTR, so it is never repeated.
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

int set_nonblocking(int fd, bool on) { return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on); }
int set_close_on_exec(int fd, bool on) { return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on); }

}  // namespace dsm::os
