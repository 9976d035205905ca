// SPDX-License-Identifier: Apache-2.0
#include "tests/model/explorer.h"

#include <algorithm>
#include <thread>

#include "libdsm/base/check.h"

namespace dsm::model {
namespace {

constexpr unsigned kMostStepsToQuiet = 10'000;

// Lets the state come to rest without new operations, always by the first step that is possible.
void settle(ExplorationState& state) {
  for (unsigned i = 0; i < kMostStepsToQuiet && !state.machine().failure(); ++i) {
    const std::vector<Step> steps = state.steps();
    if (steps.empty()) return state.machine().check_quiescent();
    state.take(steps.front());
  }
  state.machine().fail("the last reads do not end");
}

}  // namespace

Exploration Explorer::run() {
  end_ = std::chrono::steady_clock::now() + options_.deadline;
  workers_.resize(std::max(1u, options_.jobs));
  std::vector<Entry> frontier;
  frontier.push_back({ExplorationState(options_.limits), 0});
  frontier.front().id = root_ = store_.insert(frontier.front().state.digest(), {}).id;
  while (!frontier.empty() && !stop_) {
    std::atomic<size_t> next{0};
    std::vector<std::thread> threads;
    for (Worker& worker : workers_) threads.emplace_back([&] { work(worker, frontier, next); });
    for (std::thread& thread : threads) thread.join();
    frontier.clear();
    for (Worker& worker : workers_) {
      std::move(worker.found.begin(), worker.found.end(), std::back_inserter(frontier));
      worker.found.clear();
    }
    pool_.purge();
    if (!frontier.empty()) ++result_.depth;
  }
  result_.complete = !stop_;
  result_.states = store_.size();
  for (const Worker& worker : workers_) {
    result_.transitions += worker.transitions;
    result_.quiescent += worker.quiescent.size();
  }
  if (result_.complete && options_.liveness) check_liveness();
  return result_;
}

bool Explorer::out_of_bounds() const {
  return store_.size() > options_.most_states || std::chrono::steady_clock::now() > end_;
}

void Explorer::work(Worker& worker, const std::vector<Entry>& frontier, std::atomic<size_t>& next) {
  constexpr size_t kChunk = 16;
  for (size_t first; !stop_ && (first = next.fetch_add(kChunk)) < frontier.size();) {
    if (out_of_bounds()) stop_ = true;
    for (size_t i = first; i < std::min(first + kChunk, frontier.size()) && !stop_; ++i) expand(worker, frontier[i]);
  }
}

void Explorer::expand(Worker& worker, const Entry& entry) {
  const std::vector<Step> own = entry.state.steps();
  if (own.empty()) judge_quiescent(worker, entry);
  for (const Step& step : own)
    if (!follow(worker, entry, step, true)) return;
  for (const Step& step : entry.state.operations())
    if (!follow(worker, entry, step, false)) return;
}

bool Explorer::follow(Worker& worker, const Entry& entry, const Step& step, bool by_itself) {
  worker.at = entry.id;
  worker.step = step;
  Entry next = entry;
  next.state.take(step);
  ++worker.transitions;
  if (next.state.machine().failure()) {
    found_violation(next.state.machine().failure().what(), entry.id, step);
    return false;
  }
  const StateStore::Inserted inserted = store_.insert(next.state.digest(), {entry.id, step});
  if (options_.liveness && by_itself) worker.edges.push_back({entry.id, inserted.id});
  if (!inserted.fresh) return true;
  next.id = inserted.id;
  sim::NodeTable& nodes = next.state.machine().nodes_to_share();
  const sim::NodeTable& before = entry.state.machine().nodes();
  for (size_t i = 0; i < nodes.size(); ++i)
    if (nodes.shared(i) != before.shared(i)) pool_.share(nodes, i, next.state.clock(i));
  worker.found.push_back(std::move(next));
  return true;
}

void Explorer::judge_quiescent(Worker& worker, const Entry& entry) {
  worker.quiescent.push_back(entry.id);
  ExplorationState state = entry.state;
  state.machine().check_quiescent();
  for (uint16_t n = 0; n < kNodes && !state.machine().failure(); ++n) {
    state.read_once_more(NodeId{n});
    settle(state);
  }
  if (state.machine().failure()) found_violation("at rest: " + state.machine().failure().what(), entry.id, std::nullopt);
}

void Explorer::found_violation(std::string what, StateId id, std::optional<Step> step) {
  const std::lock_guard lock(result_mutex_);
  stop_ = true;
  if (!result_.violation) result_.violation = Violation{std::move(what), trace_to(id, step)};
}

std::vector<std::string> Explorer::trace_to(StateId id, std::optional<Step> last) const {
  std::vector<Step> steps;
  if (last) steps.push_back(*last);
  for (; id != root_; id = store_.origin(id).parent) steps.push_back(store_.origin(id).step);
  std::reverse(steps.begin(), steps.end());
  ExplorationState state(options_.limits);
  std::vector<std::string> lines;
  for (const Step& step : steps) {
    lines.push_back(state.to_string(step));
    state.take(step);
  }
  return lines;
}

std::vector<std::vector<std::string>> Explorer::traces_of_crash() const {
  std::vector<std::vector<std::string>> traces;
  for (const Worker& worker : workers_) {
    traces.push_back(trace_to(worker.at, std::nullopt));
    traces.back().push_back("then: node " + std::to_string(worker.step.node) + ", step kind " +
                            std::to_string(static_cast<unsigned>(worker.step.kind)));
  }
  return traces;
}

// Backwards from the quiescent states: a state that is not met cannot come to rest any more.
void Explorer::check_liveness() {
  const uint64_t bound = store_.id_bound();
  std::vector<uint64_t> start(bound + 1, 0);
  for (const Worker& worker : workers_)
    for (const Edge& edge : worker.edges) ++start[edge.to + 1];
  for (uint64_t i = 0; i < bound; ++i) start[i + 1] += start[i];
  std::vector<StateId> from(start[bound]);
  std::vector<uint64_t> place(start.begin(), start.end() - 1);
  for (const Worker& worker : workers_)
    for (const Edge& edge : worker.edges) from[place[edge.to]++] = edge.from;
  std::vector<bool> met(bound, false);
  std::vector<StateId> open;
  for (const Worker& worker : workers_)
    for (const StateId id : worker.quiescent) {
      met[id] = true;
      open.push_back(id);
    }
  while (!open.empty()) {
    const StateId id = open.back();
    open.pop_back();
    for (uint64_t i = start[id]; i < start[id + 1]; ++i)
      if (!met[from[i]]) {
        met[from[i]] = true;
        open.push_back(from[i]);
      }
  }
  for (StateId id = 0; id < bound; ++id)
    if (store_.exists(id) && !met[id]) return found_violation("invariant 3: no way from here to rest", id, std::nullopt);
}

}  // namespace dsm::model
