// SPDX-License-Identifier: Apache-2.0
// Breadth-first exploration of all states of three nodes and one page, with the real Shard and CacheController objects:
// every operation at every moment, every order of messages. Judged are the seven invariants in every state (by Machine),
// that a state in which nothing can happen by itself is quiescent with every operation retired and readable memory, and
// that from every state such a state can be reached without a new operation (no livelock).
#pragma once
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/exploration_state.h"
#include "tests/model/node_pool.h"
#include "tests/model/state_store.h"

namespace dsm::model {

struct ExplorerOptions {
  Limits limits;
  unsigned jobs = 2;
  uint64_t most_states = UINT64_MAX;
  std::chrono::seconds deadline{3600};
  bool liveness = true;
};

struct Violation {
  std::string what;
  std::vector<std::string> trace;   // from the first state
};

struct Exploration {
  uint64_t states = 0, transitions = 0, quiescent = 0;
  unsigned depth = 0;
  bool complete = false;            // false: a limit of the options ended it
  std::optional<Violation> violation;
};

class Explorer {
 public:
  explicit Explorer(const ExplorerOptions& options) : options_(options) {}
  Exploration run();
  // The ways to what the workers do just now, for a check that fails inside the protocol code.
  std::vector<std::vector<std::string>> traces_of_crash() const;

 private:
  struct Entry {
    ExplorationState state;
    StateId id;
  };
  struct Edge {
    StateId from, to;
  };
  struct Worker {
    std::vector<Entry> found;
    std::vector<Edge> edges;            // of steps that happen by themselves
    std::vector<StateId> quiescent;
    uint64_t transitions = 0;
    StateId at = 0;      // what it does now
    Step step;
  };

  void work(Worker&, const std::vector<Entry>& frontier, std::atomic<size_t>& next);
  void expand(Worker&, const Entry&);
  bool follow(Worker&, const Entry&, const Step&, bool by_itself);
  void judge_quiescent(Worker&, const Entry&);
  void found_violation(std::string what, StateId, std::optional<Step>);
  bool out_of_bounds() const;
  void check_liveness();
  std::vector<std::string> trace_to(StateId, std::optional<Step>) const;

  ExplorerOptions options_;
  std::chrono::steady_clock::time_point end_;
  StateStore store_;
  StateId root_ = 0;
  NodePool pool_;
  std::vector<Worker> workers_;
  std::mutex result_mutex_;
  std::atomic<bool> stop_{false};
  Exploration result_;
};

}  // namespace dsm::model
