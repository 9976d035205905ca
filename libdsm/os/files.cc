// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/files.h"

#include <climits>
#include <sys/stat.h>
#include <unistd.h>

namespace dsm::os {

std::string path_of(int fd) {
  char target[PATH_MAX];
  std::string link = "/proc/self/fd/" + std::to_string(fd);
  ssize_t n = ::readlink(link.c_str(), target, sizeof target);
  return n > 0 && target[0] == '/' ? std::string(target, static_cast<size_t>(n)) : std::string();
}

uint64_t bytes_behind(int fd, uint64_t offset) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return 0;
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  return size > offset ? size - offset : 0;
}

}  // namespace dsm::os
