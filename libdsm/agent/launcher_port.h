// SPDX-License-Identifier: Apache-2.0
// LauncherPort: the control stream, JSON lines in and out. The launcher is trusted, yet a line that does not parse is
// reported and ends the job instead of crashing the agent. Owner-thread only.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libdsm/agent/agent_config.h"
#include "libdsm/agent/node_facts_report.h"
#include "libdsm/base/result.h"
#include "libdsm/stats/node_stats.h"

namespace dsm::agent {

class LauncherPort {
 public:
  // Descriptors stay the caller's (they are stdin and stdout).
  LauncherPort(int in, int out) : in_(in), out_(out) {}

  int fd() const { return in_; }
  // Takes what has arrived (blocking if the descriptor is) and appends whole commands.
  // kClosed: the launcher is gone, whatever the reason. An error: it said what cannot be understood.
  enum class Input { kNothing, kSome, kClosed };
  Result<Input> read(std::vector<Command>& commands);

  void listening(NodeId node, const transport::Endpoint& at, int pid, int cpus, const NodeFactsReport& facts,
                 const std::string& from);
  void ready(int app_pid);
  void failed(NodeId node, std::string_view what);
  void peer_lost(NodeId node, NodeId peer, std::string_view what);
  void stats(uint64_t id, const stats::StatsReport& report);
  void moved(uint64_t id, std::string_view error);  // empty: the thread is there
  void drain(NodeId node, uint64_t threads, uint64_t pages, bool done);
  void bye(NodeId node);

 private:
  void write_line(std::string line);

  int in_, out_;
  bool broken_ = false;   // a line did not get through; half of it may have
  std::string pending_;
};

}  // namespace dsm::agent
