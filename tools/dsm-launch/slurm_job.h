// SPDX-License-Identifier: Apache-2.0
// A Slurm allocation that the launcher runs in, and how an agent is started on one of its other nodes.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libdsm/base/result.h"

namespace dsm::tools {

struct SlurmJob {
  std::string id;
  std::vector<std::string> hosts;   // the node that the launcher runs on first, if it is one of them
  std::string here;                 // its name, empty where Slurm gave none: on a login node
};

// From SLURM_JOB_ID, SLURM_JOB_NODELIST and SLURMD_NODENAME; nothing outside an allocation.
std::optional<SlurmJob> slurm_job();

// One task on that node, beside whatever else the job runs there, with all its processors; found as execvp would.
std::vector<std::string> srun_command(const std::string& host, const std::string& agent_path);

// Why an agent started by srun has ended, for people.
std::string describe_srun_end(int wait_status, bool heard_of, const std::string& explanation);

}  // namespace dsm::tools
