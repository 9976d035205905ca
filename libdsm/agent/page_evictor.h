// SPDX-License-Identifier: Apache-2.0
// PageEvictor: moves all pages of a drained node to others, a batch at a time, so that faults are served in between. A page that is held elsewhere as well is only dropped; the last copy of
// one moves. Pages that are used meanwhile come back and are sent away again. Owner-thread only.
#pragma once
#include <vector>

#include "libdsm/agent/engine.h"

namespace dsm::agent {

class PageEvictor {
 public:
  // Until stop(). `targets`: other nodes, taken in turn; not empty.
  void start(std::vector<NodeId> targets, TimeNs now);
  void stop() { active_ = false; }
  bool active() const { return active_; }

  // Pages with content here.
  static uint64_t held(const Engine& engine);
  // The next batch, if it is time. Evictions are requests to the directory: their effect is seen by later calls.
  void on_time(Engine& engine, TimeNs now);
  TimeNs next_deadline() const { return next_; }

 private:
  std::vector<NodeId> targets_;
  size_t next_target_ = 0;
  bool active_ = false;
  TimeNs next_ = 0;
  size_t cursor_ = 0;  // of the walk through the page table
};

}  // namespace dsm::agent
