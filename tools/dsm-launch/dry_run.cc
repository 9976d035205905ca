// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/dry_run.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "tools/dsm-launch/slurm_job.h"
#include "tools/dsm-launch/ssh_agent_start.h"

namespace dsm::tools {

int dry_run(const LaunchOptions& options, const Installation& installation, const Program& program,
            const std::vector<NodeHost>& hosts) {
  fmt::print("program    {}\n", program.path);
  fmt::print("arguments ");
  for (const auto& argument : options.command) fmt::print(" {}", argument);
  fmt::print("\nruntime    {}\n", installation.runtime);
  for (size_t node = 0; node < hosts.size(); ++node) {
    const NodeHost& host = hosts[node];
    fmt::print("node {:<5} {} on {}: {}, {}\n", node, node ? "worker" : "origin", host.name,
               host.remote ? installation.elsewhere(options.remote_prefix).agent : installation.agent, node ? "vessel" : "program");
    if (!host.remote) continue;
    const std::string agent = installation.elsewhere(options.remote_prefix).agent;
    const auto command = host.by_srun ? srun_command(host.name, agent) : ssh_command(options.ssh, host.name, agent);
    fmt::print("           {}\n", fmt::join(command, " "));
  }
  fmt::print("options    place {}, lease {}, poll {}, hold {} us, children {}\n", options.place, options.lease, options.poll,
             options.hold_us, options.children);
  if (!options.report.empty()) fmt::print("report     {}\n", options.report);
  return 0;
}

}  // namespace dsm::tools
