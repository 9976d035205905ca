// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/dry_run.h"

#include <fmt/core.h>

namespace dsm::tools {

int dry_run(const LaunchOptions& options, const Installation& installation, const Program& program) {
  fmt::print("program    {}\n", program.path);
  fmt::print("arguments ");
  for (const auto& argument : options.command) fmt::print(" {}", argument);
  fmt::print("\nruntime    {}\n", installation.runtime);
  for (int node = 0; node < options.nodes; ++node)
    fmt::print("node {:<5} {} on localhost: {}, {}\n", node, node ? "worker" : "origin", installation.agent,
               node ? "vessel" : "program");
  fmt::print("options    place {}, lease {}, poll {}, hold {} us\n", options.place, options.lease, options.poll, options.hold_us);
  if (!options.report.empty()) fmt::print("report     {}\n", options.report);
  return 0;
}

}  // namespace dsm::tools
