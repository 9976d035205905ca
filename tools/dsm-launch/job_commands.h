// SPDX-License-Identifier: Apache-2.0
// What a client of the job's socket may ask for beside statistics: a thread to move, a node to be drained. Orders go to the agents; their
// events come back here, and what follows goes to the client.
//
// Threads: the launcher's only one.
// Invariants: 1. each command ends with exactly one line that has "error" or "done"; 2. a client is not used after forget().
#pragma once
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/common/line_stream.h"

namespace dsm::tools {

class JobCommands {
 public:
  // `tell`: sends a line to the agent of a node.
  using Tell = std::function<void(int node, const nlohmann::json& line)>;
  JobCommands(int nodes, Tell tell) : nodes_(nodes), tell_(std::move(tell)) {}

  // True if the question is one of these.
  bool ask(LineStream& client, const nlohmann::json& question);
  // What the question wants, "" if it says nothing that can be understood.
  static std::string name_of(const nlohmann::json& question);
  // True if the event is an answer to one of these.
  bool take_event(const nlohmann::json& event);
  void forget(const LineStream& client);
  bool drained(int node) const { return drained_.contains(node); }

 private:
  void move(LineStream& client, const nlohmann::json& question);
  void drain(LineStream& client, int node, bool on);
  bool exists(LineStream& client, int node);

  int nodes_;
  Tell tell_;
  int next_id_ = 1;
  std::map<int, LineStream*> moves_;          // by id
  std::multimap<int, LineStream*> drains_;    // who waits, by node
  std::set<int> drained_;                     // as was asked
};

}  // namespace dsm::tools
