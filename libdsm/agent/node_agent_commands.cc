// SPDX-License-Identifier: Apache-2.0
// What the launcher tells an agent, and what the agent tells it.
#include <csignal>
#include <set>
#include <string>

#include "libdsm/agent/node_agent.h"
#include "libdsm/agent/stats_collector.h"

namespace dsm::agent {

void NodeAgent::on_launcher_input() {
  std::vector<Command> commands;
  for (;;) {
    Result<LauncherPort::Input> input = launcher_.read(commands);
    if (!input) return fail(input.error().what);
    if (*input == LauncherPort::Input::kClosed) return stop(0);
    if (*input == LauncherPort::Input::kNothing) break;
  }
  handle_all(commands);
}

void NodeAgent::handle_all(std::span<const Command> commands) {
  for (const Command& command : commands) std::visit([this](const auto& c) { handle(c); }, command);
}

void NodeAgent::handle(const Configure&) { fail("control stream: configured twice"); }

void NodeAgent::handle(const Peers& peers) {
  if (mesh_) return fail("control stream: peers twice");
  if (peers.peers.size() != config_.nodes || peers.cpus.size() != config_.nodes)
    return fail("control stream: peers must name every node once");
  mesh_ = peers;
  orphaned_at_ = kNever;
  std::string own;
  for (const Peer& peer : peers.peers)
    if (peer.node == config_.node) own = peer.at.address;
  unsigned here = 0;
  bool first_here = true;
  for (const Peer& peer : peers.peers) {
    if (peer.at.address != own) continue;
    ++here;
    first_here &= peer.node.value >= config_.node.value;
  }
  if (here > 1 && first_here) ticker_.start();
  policy_.set_host_share(here, static_cast<unsigned>(os::online_cpus()));

  // A vessel prepares itself meanwhile; the program starts when every node can be reached.
  if (!is_origin()) runtime_.allow_welcome(make_welcome());
  for (const Peer& peer : peers.peers)
    if (peer.node != config_.node) transport_->add_peer(peer.node, peer.at);
  advance_readiness();
}

abi::Welcome NodeAgent::make_welcome() const {
  abi::Welcome welcome{};
  welcome.version = abi::kVersion;
  welcome.node = config_.node.value;
  welcome.nodes = config_.nodes;
  for (unsigned cpus : mesh_->cpus) welcome.total_cpus += cpus;
  welcome.app_pid = mesh_->app_pid;
  welcome.spin_us = policy_.channel_spin_us();
  welcome.place = config_.place;
  welcome.place_node = config_.place_node;
  welcome.verbose = config_.verbose;
  welcome.origin_clock = mesh_->origin_clock;
  welcome.cpus_of_node[0] = mesh_->cpus[config_.node.value];
  std::set<std::string> addresses;
  for (const Peer& peer : mesh_->peers) addresses.insert(peer.at.address);
  welcome.hosts = static_cast<uint32_t>(addresses.size());
  welcome.node_memory_bytes = config_.memory_bytes;
  return welcome;
}

void NodeAgent::handle(const StatsQuery& query) {
  stats::StatsReport report = collect_stats(config_, engine_, runtime_, *transport_);
  report.node.drained = mover_.drained(config_.node.value);
  launcher_.stats(query.id, report);
}

void NodeAgent::handle(const Shutdown&) {
  send_to_all(FrameKind::kGoodbye);
  launcher_.bye(config_.node);
  stop(0);
}

// The agent itself goes on: pages that are here may be wanted by whoever is not stopped (a child of the program).
void NodeAgent::handle(const Pause&) { vessel_.kill_if_running(SIGSTOP); }

void NodeAgent::handle(const Resume&) { vessel_.kill_if_running(SIGCONT); }

void NodeAgent::fail(const std::string& what) {
  if (exit_status_) return;
  log_.info(what);
  launcher_.failed(config_.node, what);
}

void NodeAgent::stop(int status) {
  if (!exit_status_) exit_status_ = status;
}

}  // namespace dsm::agent
