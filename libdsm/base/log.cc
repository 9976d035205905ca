// SPDX-License-Identifier: Apache-2.0
#include "libdsm/base/log.h"

#include <unistd.h>

namespace dsm {

void Log::write(std::string_view prefix, std::string_view text) const {
  std::string line = who_ + ": ";
  line.append(prefix).append(text).push_back('\n');
  // Nobody can be told of a log that cannot be written.
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace dsm
