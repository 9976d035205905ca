// SPDX-License-Identifier: Apache-2.0
// ThreadMover: the origin's agent asks threads of the program to move (libdsm/runtime/migrate.h): one by order, all of a node that is
// drained, and at random for tests. The runtime may be slow or may lie; each order ends with an answer by its deadline.
// Owner-thread only.
//
// Invariants
//  1. An order is answered exactly once. A request that was not taken by its deadline stays: the thread moves when its call ends.
//  2. A thread in a call that sleeps is kicked by order and to empty a node only.
//  3. No thread is asked to go to a drained node by the mover itself.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "libdsm/agent/thread_board.h"

namespace dsm::agent {

class ThreadMover {
 public:
  // Sends the kick; 0 or -errno.
  using Kick = std::function<int(ThreadId kernel_tid)>;
  // `error`: empty when the thread is where it should be.
  using Answer = std::function<void(uint64_t id, const std::string& error)>;

  ThreadMover(unsigned nodes, Kick kick, Answer answer);

  void order(uint64_t id, int tid, unsigned node, ThreadBoard& board, TimeNs now);
  void set_drained(unsigned node, bool drained, TimeNs now);
  bool drained(unsigned node) const { return node < drained_.size() && drained_[node]; }
  // Tries so many moves a second over the whole job, from now on. A thread that has not consumed a little CPU time since its last move
  // stays (libdsm/runtime/migrate.h), but not for so long that less than a third of the rate is left.
  void start_chaos(double moves_per_second, uint64_t seed, TimeNs now);

  void on_time(ThreadBoard& board, TimeNs now);
  std::optional<TimeNs> next_deadline() const;

 private:
  struct Order {
    uint64_t id;
    int tid;
    unsigned node;
    TimeNs give_up_at, kick_at;
  };
  struct Stay {
    uint32_t migrations;
    TimeNs since;
  };
  void ask(ThreadBoard& board, const ThreadBoard::Program& thread, unsigned node, bool random = false, bool if_settled = false);
  // True when it is over.
  bool follow(Order& order, ThreadBoard& board, TimeNs now);
  void empty_drained(ThreadBoard& board);
  void move_one_at_random(ThreadBoard& board, TimeNs now);
  void note_stays(const std::vector<ThreadBoard::Program>& threads, TimeNs now);
  unsigned emptiest(const std::vector<unsigned>& threads_on) const;

  Kick kick_;
  Answer answer_;
  std::vector<bool> drained_;
  std::vector<Order> orders_;
  std::optional<TimeNs> next_drain_;  // while a node is drained
  TimeNs chaos_period_ns_ = 0, next_chaos_ = 0;
  std::map<uint32_t, Stay> stays_;  // by tid; for chaos
  std::mt19937_64 random_;
};

}  // namespace dsm::agent
