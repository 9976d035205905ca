// SPDX-License-Identifier: Apache-2.0
// Which machine each node of a job is on, and how its agent is started there.
#pragma once
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "tools/dsm-launch/launch_options.h"

namespace dsm::tools {

struct NodeHost {
  std::string name;      // as the user wrote it; "localhost" where nothing was said
  bool remote = false;   // started by ssh or srun, else a child of the launcher
  bool by_srun = false;
  int agents_there = 1;  // how many agents share that machine
};

// Without --host or --hostfile, a Slurm allocation of several nodes says where, unless --engine is local.
// Changes options.nodes and options.hosts then.
Status take_hosts_of_allocation(LaunchOptions& options);

// Node 0 is always here: it is the program itself, with the launcher's terminal, files and exit status. An error says what to
// type instead.
Result<std::vector<NodeHost>> place_nodes(const LaunchOptions& options);

// Some agent is started by ssh or srun: the nodes talk over a network, not over the loopback interface.
bool spans_hosts(const std::vector<NodeHost>& nodes);

}  // namespace dsm::tools
