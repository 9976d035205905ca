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
  bool by_ssh = false;   // else a child of the launcher
  int agents_there = 1;  // how many agents share that machine
};

// Node 0 is always here: it is the program itself, with the launcher's terminal, files and exit status. An error says what to
// type instead.
Result<std::vector<NodeHost>> place_nodes(const LaunchOptions& options);

// Some agent is started by ssh: the nodes talk over a network, not over the loopback interface.
bool spans_hosts(const std::vector<NodeHost>& nodes);

}  // namespace dsm::tools
