// SPDX-License-Identifier: Apache-2.0
// What an agent says of its machine when it reports for duty. The launcher compares the nodes' (tools/dsm-launch/node_facts.h).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "libdsm/agent/agent_config.h"
#include "libdsm/base/result.h"

namespace dsm::agent {

struct NodeFactsReport {
  std::string version, runtime_digest, kernel;
  int page_bytes = 0;
  std::vector<std::string> cpu;
  uint64_t saved_registers = 0;
};

Result<NodeFactsReport> gather_facts(const Configure& config, const std::string& kernel_release);

// The address to listen at: that of --iface, or where ssh or slurmd reached this host, or the one that was given.
Result<std::string> listening_address(const Configure& config);

// The launcher's machine as this host was reached from it; empty where `bind` is an address.
std::string reached_from(const std::string& bind);

}  // namespace dsm::agent
