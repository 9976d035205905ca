// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/installation.h"

#include <unistd.h>

#include <filesystem>

namespace dsm::tools {
namespace {

Installation parts_below(const std::filesystem::path& prefix) {
  const auto lib = prefix / "lib";
  return {prefix / "bin" / "dsmd", lib / "dsm" / "dsm-runtime", lib / "libdsm.so"};
}

}  // namespace

Installation Installation::elsewhere(const std::string& prefix) const { return prefix.empty() ? *this : parts_below(prefix); }

Result<Installation> find_installation() {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return Error{"cannot read /proc/self/exe: " + failure.message(), failure.value()};
  const Installation found = parts_below(self.parent_path().parent_path());
  for (const auto& part : {found.agent, found.runtime})
    if (access(part.c_str(), X_OK)) return Error{"needs " + part + ", which is not there or not executable; run make, or make install", 0};
  return found;
}

}  // namespace dsm::tools
