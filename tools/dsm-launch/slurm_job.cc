// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/slurm_job.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "tools/dsm-launch/child_process.h"
#include "tools/dsm-launch/host_list.h"

namespace dsm::tools {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

std::optional<SlurmJob> slurm_job() {
  SlurmJob job{variable("SLURM_JOB_ID"), {}, variable("SLURMD_NODENAME")};
  if (job.id.empty()) return std::nullopt;
  const auto hosts = parse_host_list(variable("SLURM_JOB_NODELIST"));   // Slurm writes ranges as we do
  if (!hosts) return std::nullopt;
  for (const auto& host : hosts.value()) job.hosts.push_back(host.name);
  std::stable_partition(job.hosts.begin(), job.hosts.end(), [&](const std::string& host) { return host == job.here; });
  return job;
}

std::vector<std::string> srun_command(const std::string& host, const std::string& agent_path) {
  return {"srun", "--nodes=1", "--ntasks=1", "--nodelist=" + host, "--overlap", "--unbuffered", "--cpu-bind=none", "--mem=0", "--mpi=none",
          "--kill-on-bad-exit=1", "--job-name=dsmd", "--chdir=/", "--", agent_path};
}

std::string describe_srun_end(int wait_status, bool heard_of, const std::string& explanation) {
  const std::string because = explanation.empty() ? "" : ": " + explanation;
  return fmt::format("{}: srun {}{}", heard_of ? "its agent ended" : "cannot start its agent", describe_exit(wait_status), because);
}

}  // namespace dsm::tools
