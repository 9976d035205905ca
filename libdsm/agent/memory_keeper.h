// SPDX-License-Identifier: Apache-2.0
// MemoryKeeper: keeps a node within its memory budget (--mem). It measures what the node uses, has the hand of the policy
// (memory/frame_budget.h) walk over the pages that are here, gives up what the policy picks, and holds back faults that would add pages
// while the node is full. Owner-thread only.
//
// Counted: the content of the memory file, read-only copies included, and the agent's private memory.
//
// Invariants
//  1. At most kMostUnderWay pages are on their way out at any time.
//  2. A fault is held back for two seconds at most: then the node goes over its budget and says so, once.
#pragma once
#include <deque>
#include <functional>
#include <vector>

#include "libdsm/agent/engine.h"
#include "libdsm/memory/frame_budget.h"

namespace dsm::agent {

class MemoryKeeper {
 public:
  MemoryKeeper(uint64_t budget_bytes, NodeId self, unsigned nodes, Engine& engine, const Log& log)
      : budget_(budget_bytes, self, nodes), engine_(engine), log_(log) {}

  bool active() const { return budget_.limited(); }
  // The fault has come: true if it has to wait here, false if it may be served.
  bool hold_back(const fault::FaultEvent& event, const NodeMemory& memory, TimeNs now);
  // Measures and evicts; `serve` gets the faults that need not wait any longer. True if anything was done.
  bool step(NodeMemory& memory, TimeNs now, const std::function<void(const fault::FaultEvent&)>& serve);
  // When step() should run again although nothing happens.
  std::optional<TimeNs> next_step() const;

  void room_heard(NodeId node, uint64_t bytes) { budget_.set_room_of(node, bytes); }
  // What to tell the other nodes, if it is time to.
  std::optional<uint64_t> room_to_tell(TimeNs now);
  void tell_again() { told_.reset(); }
  // The process is gone, and with it what its threads waited for.
  void forget_process();

 private:
  static constexpr size_t kMostUnderWay = 512;

  struct Leaving {
    PageNo page;
    TimeNs since;
  };
  struct HeldBack {
    fault::FaultEvent event;
    TimeNs since;
  };
  void measure(const NodeMemory& memory, TimeNs now);
  void forget_gone(const NodeMemory& memory, TimeNs now);
  bool evict(const NodeMemory& memory, TimeNs now);
  memory::FrameKind kind_of(PageNo page) const;

  memory::FrameBudget budget_;
  Engine& engine_;
  const Log& log_;
  uint64_t private_bytes_ = 0;
  TimeNs private_measured_ = 0, stepped_ = 0, looked_ = 0;
  PageNo hand_{};
  bool stuck_ = false;   // the last walk found nothing that may go
  std::vector<Leaving> leaving_;
  std::deque<HeldBack> held_;
  std::optional<uint64_t> told_;
  TimeNs told_at_ = 0;
  bool said_over_ = false;
};

}  // namespace dsm::agent
