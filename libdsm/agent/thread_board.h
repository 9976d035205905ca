// SPDX-License-Identifier: Apache-2.0
// ThreadBoard: the agent's view of the runtime's thread board (libdsm/runtime/abi.h). The other side writes at any time and
// may be wrong, so nothing here trusts an index or a state. Owner-thread only. The agent writes what abi.h says, and only at the
// origin.
#pragma once
#include <optional>
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
  // ---- Of the origin's board: all threads of the program, wherever they run ----
  struct Program {
    uint32_t slot;
    uint32_t tid, kernel_tid;
    unsigned node;
    bool blocked;                   // in a call that ends, and is made again, if it is interrupted
    uint32_t migrations;
    std::optional<unsigned> asked;  // node of a request that it has not taken yet
  };
  std::optional<Program> find(int tid) const;
  std::vector<Program> list_program() const;
  // Asks the thread to move, or only if it has settled where it is. True if it is in no call that a kick would interrupt
  // (libdsm/runtime/migrate.h).
  bool ask_to_move(const Program& thread, unsigned node, bool if_settled = false);
  void set_drained(unsigned node, bool drained);
  // Until a thread takes it: the first one that is kicked then has a checkpoint made.
  void ask_for_checkpoint();
  bool checkpoint_asked_for() const;
  void set_cpus(const std::vector<unsigned>& cpus_of_nodes);
  uint64_t migrations() const;

  uint64_t threads_run(NodeId self) const;  // program threads that ran on this node at any time

 private:
  const abi::Board* board() const { return static_cast<const abi::Board*>(mapping_.address()); }
  uint32_t slots_in_use() const;
  void list_living(NodeId self, std::vector<stats::ThreadStats>& out) const;

  std::optional<Program> program_in(uint32_t index) const;
  abi::Board* writable() { return static_cast<abi::Board*>(mapping_.address()); }

  os::SharedMapping mapping_;
  uint32_t last_slot_ = 0;  // of running(): asked for the same thread again and again
};

}  // namespace dsm::agent
