// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/machine_check.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "libdsm/os/kernel_features.h"
#include "tools/common/exit_codes.h"

namespace dsm::tools {
namespace {

// The runtime's own descriptors live high up, out of the program's way.
constexpr rlim_t kDescriptorsNeeded = 1024;

class Findings {
 public:
  void add(bool required, bool present, const std::string& what, const std::string& advice) {
    const char* verdict = present ? "ok" : required ? "FAIL" : "no";
    fmt::print("{:<5} {}\n", verdict, what);
    if (!present && !advice.empty()) fmt::print("      {}\n", advice);
    if (required && !present) sufficient_ = false;
  }
  bool sufficient() const { return sufficient_; }

 private:
  bool sufficient_ = true;
};

void check_limits(Findings& findings) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  findings.add(true, files.rlim_max >= kDescriptorsNeeded, fmt::format("open files: hard limit {}", files.rlim_max),
               fmt::format("needs at least {}; raise the hard limit (ulimit -Hn, or /etc/security/limits.conf)", kDescriptorsNeeded));
  long maps = 0;
  std::ifstream("/proc/sys/vm/max_map_count") >> maps;
  findings.add(false, maps >= 65530, fmt::format("vm.max_map_count: {}", maps),
               "programs with many mappings may need more: sysctl vm.max_map_count=262144");
}

}  // namespace

int check_machine(const Installation& installation) {
  const os::KernelFeatures features = os::probe_kernel();
  fmt::print("kernel {}, user {}, installation {}\n", features.release, getuid(), installation.agent);
  Findings findings;
  for (const auto& line : os::describe(features))
    findings.add(line.tier == os::FeatureLine::Tier::kRequired, line.present, line.name, line.advice);
  check_limits(findings);
  findings.add(false, access(installation.preload.c_str(), R_OK) == 0, "libdsm.so for LD_PRELOAD and -ldsm", installation.preload + " is missing");
  fmt::print("{}\n", findings.sufficient() ? "this machine can run dsm jobs" : "this machine cannot run dsm jobs until the lines marked FAIL are mended");
  return findings.sufficient() ? 0 : kExitOurs;
}

}  // namespace dsm::tools
