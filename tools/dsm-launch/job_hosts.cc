// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/job_hosts.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "tools/dsm-launch/slurm_job.h"
#include "tools/dsm-launch/this_machine.h"

namespace dsm::tools {
namespace {

constexpr const char* kThisMachine = "localhost";

Error first_host_elsewhere(const LaunchOptions& options, const std::map<std::string, bool>& is_here) {
  std::vector<std::string> names = options.hosts;
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::stable_partition(names.begin(), names.end(), [&](const std::string& name) { return is_here.at(name); });
  const std::string first = options.hosts[0];
  if (options.engine == "slurm")
    return Error{fmt::format("node 0 is the program itself and runs where dsm-launch is started, and this machine ({}) is not in the allocation; start "
                             "dsm-launch from a batch script, or by: srun --nodes=1 --ntasks=1 --pty dsm-launch ...", this_machine_name())};
  if (!is_here.at(names[0])) names.insert(names.begin(), kThisMachine);
  return Error{fmt::format("node 0 is the program itself and runs where dsm-launch is started, but the first host, {}, is not this machine ({}); "
                           "begin the list with this machine (--host {}), or start the job there (ssh {} dsm-launch ...)",
                           first, this_machine_name(), fmt::join(names, ","), first)};
}

}  // namespace

Status take_hosts_of_allocation(LaunchOptions& options) {
  const bool asked = options.engine == "slurm";
  if (!options.hosts.empty() || (!asked && options.engine != "auto")) return success();
  const auto job = slurm_job();
  if (!job) return asked ? Status(Error{"--engine slurm: this is not inside a Slurm allocation (no SLURM_JOB_ID with nodes)"}) : success();
  if (job->hosts.size() < 2 && !asked) return success();   // one machine: as ever
  options.hosts = job->hosts;
  const size_t wanted = options.nodes_given ? static_cast<size_t>(options.nodes) : options.hosts.size();
  if (wanted > options.hosts.size())
    return Error{fmt::format("{} nodes are wanted, and Slurm job {} has {}; ask for fewer, or for --engine local, which puts all on this machine", wanted, job->id,
                             options.hosts.size())};
  options.hosts.resize(wanted);
  options.nodes = static_cast<int>(wanted);
  options.engine = "slurm";
  return success();
}

Result<std::vector<NodeHost>> place_nodes(const LaunchOptions& options) {
  std::vector<NodeHost> nodes(static_cast<size_t>(options.nodes), NodeHost{kThisMachine, false, false, options.nodes});
  if (options.hosts.empty()) return nodes;
  const auto allocation = options.engine == "slurm" ? slurm_job() : std::nullopt;
  std::map<std::string, bool> is_here;
  for (const auto& name : options.hosts)
    if (!is_here.contains(name)) is_here[name] = allocation && !allocation->here.empty() ? name == allocation->here : is_this_machine(name);
  if (!is_here.at(options.hosts[0])) return first_host_elsewhere(options, is_here);
  std::map<std::string, int> agents_on;
  for (const auto& name : options.hosts) ++agents_on[is_here.at(name) ? kThisMachine : name];
  for (size_t node = 0; node < nodes.size(); ++node) {
    const std::string& name = options.hosts[node];
    const bool here = is_here.at(name);
    if (!here && options.engine == "local") return Error{fmt::format("--engine local: {} is another machine", name)};
    const bool remote = node != 0 && (!here || options.engine == "ssh");
    nodes[node] = {name, remote, remote && options.engine == "slurm", agents_on.at(here ? kThisMachine : name)};
  }
  return nodes;
}

bool spans_hosts(const std::vector<NodeHost>& nodes) {
  return std::any_of(nodes.begin(), nodes.end(), [](const NodeHost& node) { return node.remote; });
}

}  // namespace dsm::tools
