// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/files.h"

#include <climits>
#include <unistd.h>

namespace dsm::os {

std::string path_of(int fd) {
  char target[PATH_MAX];
  std::string link = "/proc/self/fd/" + std::to_string(fd);
  ssize_t n = ::readlink(link.c_str(), target, sizeof target);
  return n > 0 && target[0] == '/' ? std::string(target, static_cast<size_t>(n)) : std::string();
}

}  // namespace dsm::os
