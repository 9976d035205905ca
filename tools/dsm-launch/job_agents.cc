// SPDX-License-Identifier: Apache-2.0
// The controller's part that starts agents, here and by ssh or srun, and judges what they report.
//
// Order: all are started, those on other hosts at most kStartsAtOnce at a time. Those on other hosts are configured at once
// and listen where ssh reached them; one of them tells by which address it was reached from here, and that is where
// the agents of this machine listen. With --iface, or without other hosts, nobody waits for that.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dsm/dsm.h"
#include "tools/common/monotonic.h"
#include "tools/dsm-launch/child_process.h"
#include "tools/dsm-launch/job_controller.h"
#include "tools/dsm-launch/slurm_job.h"

namespace dsm::tools {
namespace {

using nlohmann::json;

// sshd turns away more than a few dozen connections that have not yet proved who they are.
constexpr int kStartsAtOnce = 32;
constexpr TimeNs kSshPatience = 30 * kSecond;
constexpr const char* kLoopback = "127.0.0.1";
// An agent's own word: where ssh or slurmd found its host.
constexpr const char* kReachedBySsh = "reached";
constexpr const char* kReachedBySlurm = "slurm";

}  // namespace

void JobController::prepare_agents(const std::vector<NodeHost>& hosts) {
  spans_hosts_ = tools::spans_hosts(hosts);
  if (!spans_hosts_) local_bind_ = kLoopback;
  agents_.resize(static_cast<size_t>(options_.nodes));
  for (size_t node = 0; node < agents_.size(); ++node) {
    AgentHandle& agent = agents_[node];
    agent.node = static_cast<int>(node);
    agent.where = hosts[node];
    agent.host = agent.where.name;
    agent.path = agent.where.remote ? installation_.elsewhere(options_.remote_prefix).agent : installation_.agent;
  }
}

Status JobController::start_agents_in_turn() {
  const auto under_way = std::count_if(agents_.begin(), agents_.end(), [](const AgentHandle& a) { return a.where.remote && a.state == AgentState::kStarted; });
  auto room = kStartsAtOnce - under_way;
  for (auto& agent : agents_) {
    if (agent.state != AgentState::kWaiting || (agent.where.remote && room-- <= 0)) continue;
    if (const Status s = start_agent_of(agent); !s) return Error{fmt::format("{}: cannot start its agent: {}", name_of(agent), s.error().what), s.error().code};
    set_agent_state(agent, AgentState::kStarted);
    if (agent.where.remote) phase_deadline_ = monotonic_ns() + kSshPatience;
    if (agent.where.remote || !local_bind_.empty() || !options_.interface.empty()) configure(agent);
  }
  return success();
}

Status JobController::start_agent_of(AgentHandle& agent) {
  AgentChild child{};
  if (agent.where.remote) {
    auto started = start_ssh(agent.where.by_srun ? srun_command(agent.where.name, agent.path) : ssh_command(options_.ssh, agent.where.name, agent.path));
    if (!started) return started.error();
    child = started->agent;
    agent.errors = RemoteErrors(started->errors, options_.verbose);
  } else {
    if (agent.node == 0) app_fd_of_agent_ = app_socket_[0];
    auto started = start_agent(agent.path, agent.node == 0 ? app_socket_[0] : -1, agent.node == 0 && id_space_ ? &id_space_ : nullptr);
    if (!started) return started.error();
    child = *started;
  }
  agent.pid = child.pid;
  agent.control = LineStream(child.control);
  return success();
}

void JobController::configure(AgentHandle& agent) {
  agent.configured = true;
  agent.control.send(configuration(agent));
}

void JobController::configure_local_agents(const std::string& address) {
  local_bind_ = address;
  for (auto& agent : agents_)
    if (!agent.configured && agent.state == AgentState::kStarted) configure(agent);
}

json JobController::configuration(const AgentHandle& agent) const {
  json line = {{"cmd", "configure"},
               {"job", job_},
               {"node", agent.node},
               {"nodes", options_.nodes},
               {"secret", secret_hex_},
               {"runtime", agent.where.remote ? installation_.elsewhere(options_.remote_prefix).runtime : installation_.runtime},
               {"bind", !agent.where.remote ? local_bind_.c_str() : agent.where.by_srun ? kReachedBySlurm : kReachedBySsh},
               {"place", options_.place},
               {"chaos_hz", options_.chaos_migrate_hz},
               {"chaos_seed", options_.chaos_seed},
               {"lease", options_.lease},
               {"poll", options_.poll},
               {"encrypt", options_.encrypt},
               {"hold_us", options_.hold_us},
               {"mem", options_.memory_bytes},
               {"mutation", options_.mutation},
               {"verbose", options_.verbose},
               {"heartbeat_ms", 500},
               {"agents_on_host", agent.where.agents_there},
               {"app_fd", agent.node == 0 ? app_fd_of_agent_ : -1},
               {"ends_app", joined_.has_value()}};
  if (spans_hosts_ && !options_.interface.empty()) line["iface"] = options_.interface;
  if (agent.node == 0 && !joined_) add_checkpoints(line);
  return line;
}

void JobController::agent_listens(AgentHandle& agent, const json& event) {
  agent.address = event.value("addr", "");
  agent.port = event.value("port", 0);
  agent.cpus = event.value("cpus", 0);
  if (!agent.where.remote && options_.hosts.empty()) agent.host = event.value("host", agent.host);
  agent.facts = parse_facts(event.value("facts", json()));
  set_agent_state(agent, AgentState::kListening);
  if (const std::string problem = other_version(agent.facts, DSM_VERSION_STRING, agent.host); !problem.empty())
    return fail(fmt::format("{}: {}", name_of(agent), problem));
  if (local_bind_.empty() && agent.where.remote && options_.interface.empty()) {
    const std::string from = event.value("reached_from", "");
    if (from.empty()) return fail(fmt::format("{}: does not say by which address of this machine it was reached; name the network with --iface", name_of(agent)));
    configure_local_agents(from);
  }
  if (const Status s = start_agents_in_turn(); !s) return fail(s.error().what);
  // The origin's facts are the measure; whoever came before it is judged when it has reported.
  if (agents_[0].state < AgentState::kListening) return;
  for (const auto& other : agents_) {
    if (other.state < AgentState::kListening || (agent.node != 0 && other.node != agent.node)) continue;
    std::string problem = misfit(agents_[0].facts, other.facts, other.host);
    if (problem.empty() && !uses_origin_clock()) problem = other_vdso(agents_[0].facts, other.facts, other.host);
    if (!problem.empty()) return fail(fmt::format("{}: {}", name_of(other), problem));
  }
}

bool JobController::uses_origin_clock() const { return options_.clock == "origin" || (options_.clock == "auto" && spans_hosts_); }

std::string JobController::end_of(const AgentHandle& agent, int wait_status) const {
  if (!agent.where.remote) return fmt::format("its agent (pid {}) {}", agent.pid, describe_exit(wait_status));
  if (agent.where.by_srun) return describe_srun_end(wait_status, agent.port != 0, agent.errors.explanation());
  return describe_ssh_end(wait_status, agent.port != 0, agent.where.name, agent.path, agent.errors.explanation());
}

}  // namespace dsm::tools
