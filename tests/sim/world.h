// SPDX-License-Identifier: Apache-2.0
// Runs one schedule: a Machine under a seeded scheduler with virtual time. Messages of one channel keep their order and
// are otherwise delayed and reordered at will; agents are preempted between two actions; each node has a clock of its
// own, of which neither offset nor rate is that of another.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "tests/sim/disturber.h"
#include "tests/sim/machine.h"
#include "tests/sim/scenario.h"
#include "tests/sim/sim_random.h"
#include "tests/sim/trace.h"

namespace dsm::sim {

class World {
 public:
  World(const Scenario&, Trace&);
  // Until everything is quiet or something failed. Afterwards every node has read every page again.
  void run();
  const Machine& machine() const { return machine_; }
  const Failure& failure() const { return machine_.failure(); }

 private:
  struct Event {
    enum class Kind : uint8_t { kThread, kTurn, kArrival, kTimer, kDisturbance };
    uint64_t at = 0;
    uint64_t order = 0;
    Kind kind{};
    uint32_t index = 0;
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  // What waits for an agent to have time.
  struct Notice {
    enum class Kind : uint8_t { kBlocked, kDisturb };
    Kind kind{};
    uint32_t index = 0;   // thread, or number of the disturbance
    ThreadId thread{};
  };
  struct Agent {
    std::deque<uint32_t> faults;                 // threads, in the order of their events
    std::vector<Network::Channel> arrived;       // one entry a packet
    std::deque<Notice> notices;
    bool turn_scheduled = false;
    bool patient = true;                         // no preemption inside the current list of actions
    uint64_t timer_at = UINT64_MAX;              // the earliest timer event under way
    uint64_t clock_offset = 0;
    uint64_t clock_rate = 0;                     // ns of its clock per 1024 ns
  };

  void run_to_quiet();
  void read_everything_again();
  void schedule(uint64_t delay, Event::Kind, uint32_t index);
  uint64_t pick(const Timing::Span& span) { return random_.log_uniform(span.low, span.high); }
  void dispatch(const Event&);
  void step_thread(uint32_t);
  void turn(NodeId);
  bool take_something(NodeId);
  void take_notice(NodeId, const Notice&);
  void spread_news();
  void set_timer(NodeId);
  bool timer_due(NodeId) const;
  TimeNs clock(NodeId) const;
  Agent& agent(NodeId id) { return agents_[id.value]; }
  void want_turn(NodeId);

  Scenario scenario_;
  Random random_;
  Machine machine_;
  Disturber disturber_;
  Trace& trace_;
  std::vector<Agent> agents_;
  std::vector<uint64_t> last_arrival_;           // by channel: keeps it FIFO
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  uint64_t now_ = 0;
  uint64_t order_ = 0;
};

}  // namespace dsm::sim
