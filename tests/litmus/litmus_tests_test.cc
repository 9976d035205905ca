// SPDX-License-Identifier: Apache-2.0
// Proves the tables of litmus_tests.cc: every outcome that an x86-TSO machine can produce (all
// interleavings, all moments at which store buffers drain) is forbidden by no test, and every
// outcome called interesting can be produced, even without store buffers.
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <set>

#include "litmus_test.h"

namespace litmus {
namespace {

struct Machine {
  uint32_t memory[2] = {0, 0};
  std::vector<size_t> next;                                   // operation of each thread
  std::vector<std::deque<std::pair<int, uint32_t>>> buffers;  // stores on their way to memory
  std::vector<std::vector<uint32_t>> results;
};

class Explorer {
 public:
  Explorer(const litmus::Test& test, bool store_buffers) : test_(test), buffered_(store_buffers) {
    Machine start;
    start.next.resize(test.threads.size());
    start.buffers.resize(test.threads.size());
    start.results.resize(test.threads.size());
    explore(start);
  }
  const std::set<Outcome>& outcomes() const { return outcomes_; }

 private:
  void explore(const Machine& m) {
    bool moved = false;
    for (size_t t = 0; t < test_.threads.size(); t++) {
      if (!m.buffers[t].empty()) {
        Machine drained = m;
        auto [location, value] = drained.buffers[t].front();
        drained.buffers[t].pop_front();
        drained.memory[location] = value;
        explore(drained);
        moved = true;
      }
      if (m.next[t] < test_.threads[t].size()) moved |= step(m, t);
    }
    if (!moved) finish(m);
  }

  // Performs the next operation of a thread, if it can be performed now.
  bool step(const Machine& m, size_t t) {
    const Operation& op = test_.threads[t][m.next[t]];
    Machine after = m;
    after.next[t]++;
    switch (op.kind) {
      case Kind::Store:
        if (buffered_) after.buffers[t].push_back({op.location, op.value});
        else after.memory[op.location] = op.value;
        break;
      case Kind::Load: after.results[t].push_back(visible(m, t, op.location)); break;
      case Kind::FetchAdd:
        if (!m.buffers[t].empty()) return false;
        after.results[t].push_back(m.memory[op.location]);
        after.memory[op.location] += op.value;
        break;
      case Kind::Fence:
        if (!m.buffers[t].empty()) return false;
        break;
    }
    explore(after);
    return true;
  }

  static uint32_t visible(const Machine& m, size_t t, int location) {
    for (auto store = m.buffers[t].rbegin(); store != m.buffers[t].rend(); ++store)
      if (store->first == location) return store->second;
    return m.memory[location];
  }

  void finish(const Machine& m) {
    Outcome outcome;
    for (const auto& part : m.results) outcome.insert(outcome.end(), part.begin(), part.end());
    outcome.push_back(m.memory[0]);
    outcome.push_back(m.memory[1]);
    outcomes_.insert(outcome);
  }

  const litmus::Test& test_;
  bool buffered_;
  std::set<Outcome> outcomes_;
};

class Tables : public testing::TestWithParam<size_t> {
 protected:
  const litmus::Test& table() const { return all_tests()[GetParam()]; }
};

TEST_P(Tables, ForbidNothingThatTsoPermits) {
  Explorer tso(table(), true);
  ASSERT_FALSE(tso.outcomes().empty());
  for (const Outcome& outcome : tso.outcomes())
    for (const Class& c : table().forbidden)
      EXPECT_FALSE(c.contains(outcome)) << c.name << ": " << testing::PrintToString(outcome);
}

TEST_P(Tables, CallInterestingOnlyWhatCanHappen) {
  Explorer sequential(table(), false);
  for (const Class& c : table().interesting) {
    bool reached = false, other = false;
    for (const Outcome& outcome : sequential.outcomes())
      (c.contains(outcome) ? reached : other) = true;
    EXPECT_TRUE(reached) << c.name;
    EXPECT_TRUE(other) << c.name << " holds always";
  }
}

// Each forbidden class must be able to fail: some combination of results falls into it.
TEST_P(Tables, CanFail) {
  size_t results = 2;
  for (const Program& program : table().threads) results += static_cast<size_t>(results_of(program));
  for (const Class& c : table().forbidden) {
    bool found = false;
    Outcome outcome(results, 0);
    // Values above 2 are needed where there are six additions, but not to break a rule.
    std::function<void(size_t)> try_all = [&](size_t at) {
      if (found) return;
      if (at == results) {
        found = c.contains(outcome);
        return;
      }
      for (uint32_t value = 0; value < 3 && !found; value++) {
        outcome[at] = value;
        try_all(at + 1);
      }
    };
    try_all(0);
    EXPECT_TRUE(found) << c.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Litmus, Tables, testing::Range<size_t>(0, all_tests().size()),
                         [](const auto& parameter) { return all_tests()[parameter.param].name; });

}  // namespace
}  // namespace litmus
