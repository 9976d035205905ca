// SPDX-License-Identifier: Apache-2.0
// What the launcher knows of one node: its agent's process, control stream and state.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>

#include "tools/common/line_stream.h"
#include "tools/dsm-launch/job_hosts.h"
#include "tools/dsm-launch/node_facts.h"
#include "tools/dsm-launch/ssh_agent_start.h"

namespace dsm::tools {

// Written by JobController::set_agent_state alone, and only forward.
enum class AgentState {
  kWaiting,     // for its turn: only so many are started at once
  kStarted,     // exec'd
  kListening,   // address known
  kReady,       // in the mesh; its vessel, if it is a worker, runs
  kLeaving,     // asked to shut down
  kGone,        // process reaped
};

struct AgentHandle {
  int node = 0;
  pid_t pid = 0;
  LineStream control;
  AgentState state = AgentState::kWaiting;
  NodeHost where;                    // what the user asked for
  std::string path;                  // of dsmd there
  RemoteErrors errors;               // of ssh
  bool configured = false;
  NodeFacts facts;                   // once listening
  std::string host, address;
  int port = 0;
  int cpus = 0;
  pid_t runtime_pid = 0;             // of the vessel; the application on the origin
  std::optional<int> wait_status;    // once reaped
};

}  // namespace dsm::tools
