// SPDX-License-Identifier: Apache-2.0
// One question for statistics, asked of all agents and answered once with the job's part of the dsm-stat schema.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "libdsm/base/ids.h"

namespace dsm::tools {

class StatsQuery {
 public:
  using Answer = std::function<void(const nlohmann::json& job)>;

  // `job`: id, launcher_pid, program...; nodes, pages, threads and ranges are added to it.
  StatsQuery(nlohmann::json job, std::set<int> waiting_for, TimeNs deadline, Answer answer);

  void add(int node, const nlohmann::json& event);
  void lost(int node) { waiting_for_.erase(node); }
  bool complete(TimeNs now) const { return waiting_for_.empty() || now >= deadline_; }
  TimeNs deadline() const { return deadline_; }
  // Calls the answer. Nodes that did not reply appear with "unresponsive": true.
  void finish();

 private:
  nlohmann::json job_;
  std::set<int> waiting_for_;
  TimeNs deadline_;
  Answer answer_;
};

}  // namespace dsm::tools
