// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/job_hosts.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "tools/dsm-launch/this_machine.h"

namespace dsm::tools {
namespace {

constexpr const char* kThisMachine = "localhost";

Error first_host_elsewhere(const LaunchOptions& options, const std::map<std::string, bool>& is_here) {
  std::vector<std::string> names = options.hosts;
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::stable_partition(names.begin(), names.end(), [&](const std::string& name) { return is_here.at(name); });
  const std::string first = options.hosts[0];
  if (!is_here.at(names[0])) names.insert(names.begin(), kThisMachine);
  return Error{fmt::format("node 0 is the program itself and runs where dsm-launch is started, but the first host, {}, is not this machine ({}); "
                           "begin the list with this machine (--host {}), or start the job there (ssh {} dsm-launch ...)",
                           first, this_machine_name(), fmt::join(names, ","), first)};
}

}  // namespace

Result<std::vector<NodeHost>> place_nodes(const LaunchOptions& options) {
  std::vector<NodeHost> nodes(static_cast<size_t>(options.nodes), NodeHost{kThisMachine, false, options.nodes});
  if (options.hosts.empty()) return nodes;
  std::map<std::string, bool> is_here;
  for (const auto& name : options.hosts)
    if (!is_here.contains(name)) is_here[name] = is_this_machine(name);
  if (!is_here.at(options.hosts[0])) return first_host_elsewhere(options, is_here);
  std::map<std::string, int> agents_on;
  for (const auto& name : options.hosts) ++agents_on[is_here.at(name) ? kThisMachine : name];
  for (size_t node = 0; node < nodes.size(); ++node) {
    const std::string& name = options.hosts[node];
    const bool here = is_here.at(name);
    if (!here && options.engine == "local") return Error{fmt::format("--engine local: {} is another machine", name)};
    nodes[node] = {name, node != 0 && (!here || options.engine == "ssh"), agents_on.at(here ? kThisMachine : name)};
  }
  return nodes;
}

bool spans_hosts(const std::vector<NodeHost>& nodes) {
  return std::any_of(nodes.begin(), nodes.end(), [](const NodeHost& node) { return node.by_ssh; });
}

}  // namespace dsm::tools
