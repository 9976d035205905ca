// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/job_environment.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace dsm::tools {
namespace {

bool is_libdsm(std::string_view path) {
  const size_t slash = path.rfind('/');
  return (slash == std::string_view::npos ? path : path.substr(slash + 1)) == "libdsm.so";
}

}  // namespace

std::string without_libdsm(const std::string& preload) {
  std::string kept;
  for (size_t begin = 0; begin < preload.size();) {
    const size_t end = std::min(preload.find_first_of(": ", begin), preload.size());
    const std::string entry = preload.substr(begin, end - begin);
    if (!entry.empty() && !is_libdsm(entry)) kept += (kept.empty() ? "" : ":") + entry;
    begin = end + 1;
  }
  return kept;
}

std::vector<std::string> job_environment() {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable; ++variable) {
    const std::string text = *variable;
    if (text.starts_with("DSM_NODES=")) continue;
    if (text.starts_with("LD_PRELOAD=")) {
      const std::string kept = without_libdsm(text.substr(11));
      if (!kept.empty()) environment.push_back("LD_PRELOAD=" + kept);
      continue;
    }
    environment.push_back(text);
  }
  return environment;
}

}  // namespace dsm::tools
