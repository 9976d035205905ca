// SPDX-License-Identifier: Apache-2.0
// ThreadBoard: the agent's read-only view of the runtime's thread board (libdsm/runtime/abi.h). The other side writes at
// any time and may be wrong, so nothing here trusts an index or a state. Owner-thread only.
#pragma once
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/os/fd.h"
#include "libdsm/os/mapping.h"
#include "libdsm/runtime/abi.h"
#include "libdsm/stats/node_stats.h"

namespace dsm::agent {

class ThreadBoard {
 public:
  ThreadBoard() = default;
  explicit ThreadBoard(os::Fd memfd);

  // False for a thread that is in a blocking call or has left its slot. A thread that has no slot is taken to run.
  bool running(ThreadId kernel_tid);
  // Threads that run here, and the last abi::kEndedSlots that did ("ended").
  void list(NodeId self, std::vector<stats::ThreadStats>& out) const;
  uint64_t threads_here(NodeId self) const;
  uint64_t threads_run(NodeId self) const;  // program threads that ran on this node at any time

 private:
  const abi::Board* board() const { return static_cast<const abi::Board*>(mapping_.address()); }
  uint32_t slots_in_use() const;
  void list_living(NodeId self, std::vector<stats::ThreadStats>& out) const;

  os::ReadOnlyMapping mapping_;
  uint32_t last_slot_ = 0;  // of running(): asked for the same thread again and again
};

}  // namespace dsm::agent
