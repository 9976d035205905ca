// SPDX-License-Identifier: Apache-2.0
// The whole job at one instant: nodes, packets, threads, address map, and the truth about every page. It can do any one
// step that is possible next; which one is for its driver (World by chance, the exploration all of them). After each
// step the seven invariants have been checked.
//
// Rules
//   1. After each step the driver looks at news() and then clears it.
//   2. No step may be asked once failure() is set.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/failure.h"
#include "tests/sim/model_node.h"
#include "tests/sim/network.h"
#include "tests/sim/node_table.h"
#include "tests/sim/oracle.h"
#include "tests/sim/origin_map.h"
#include "tests/sim/range_watch.h"
#include "tests/sim/scenario.h"

namespace dsm::sim {

// What the last steps have made possible.
struct News {
  std::vector<Network::Channel> sent;   // one entry a packet
  std::vector<uint32_t> ready;          // threads that may run
  std::vector<uint32_t> faulted;        // threads whose fault waits for their node's agent
  std::vector<RangeId> finished;
};

struct MachineCounters {
  uint64_t steps = 0, retired = 0, faults = 0, native_fills = 0, refused = 0, messages = 0;
  uint32_t most_faults = 0;   // of one operation
};

class Machine {
 public:
  explicit Machine(const Scenario&);

  const NodeTable& nodes() const { return nodes_; }
  const ModelNode& node(NodeId id) const { return nodes_[id.value]; }
  // For the exploration, which exchanges equal nodes to save memory.
  NodeTable& nodes_to_share() { return nodes_; }
  std::vector<ScriptedThread>& threads() { return threads_; }
  const std::vector<ScriptedThread>& threads() const { return threads_; }
  const Network& network() const { return network_; }
  const Oracle& oracle() const { return oracle_; }
  const Failure& failure() const { return failure_; }
  const MachineCounters& counters() const { return counters_; }
  OriginMap& origin_map() { return origin_map_; }
  uint64_t step() const { return counters_.steps; }
  News& news() { return news_; }

  // ---- Steps of threads ----
  void run_instruction(uint32_t thread);
  void move_thread(uint32_t thread, NodeId to);
  void next_operation(uint32_t thread);

  // ---- Steps of an agent; it must not be busy, except for execute_next ----
  void take_fault(uint32_t thread, TimeNs now);
  void deliver(Network::Channel, TimeNs now);
  // Whether the payload at the head of the channel went straight into the memfd; deliver() it later.
  bool receive_in_place(Network::Channel);
  void deliver_own(NodeId, TimeNs now);
  void execute_next(NodeId, TimeNs now);
  void fire_timer(NodeId, TimeNs now);
  void tell_blocked(NodeId, ThreadId, TimeNs now);
  void evict(PageNo, NodeId from, NodeId to, TimeNs now);
  void begin_range(RangeId, const PageRange&, wire::RangeOp, TimeNs now);
  void resume_range(RangeId, TimeNs now);
  // The directory process of the page's host dies: all its shards are gone, and messages to it are lost.
  void lose_directory(PageNo);
  // A node takes over every lost shard.
  void adopt_lost(NodeId host, uint32_t epoch, TimeNs now);

  // ---- Judgement ----
  // Reported as a failure unless nothing is under way and nobody waits.
  void check_quiescent();
  void fail(std::string what) { failure_.report(std::move(what)); }
  const pagedir::ShardMap& shard_map() const { return map_; }
  std::string state_of(PageNo) const;
  // Equal for states that have equal futures. Numbers (transactions, requests, contents) count by their order.
  Hasher::Value digest() const;

 private:
  ModelNode& edit(NodeId id) { return nodes_.edit(id.value); }
  pagedir::DirectoryConfig directory_config(NodeId self) const;
  void settle(NodeId node, bool directory_changed);
  void check_page(PageNo);
  void check_directory(PageNo);
  void check_native_fill(NodeId, PageNo);
  void wake(NodeId, const PageRange&);
  void refuse(NodeId, const coherence::RaiseFault&);
  bool retire(ScriptedThread&);
  void wait_for(ScriptedThread&, uint32_t index, PageNo, Access);

  pagedir::ShardMap map_;
  pagedir::DirectoryConfig directory_;   // of every node but for `self`
  NodeTable nodes_;
  std::vector<ScriptedThread> threads_;
  Network network_;
  Oracle oracle_;
  OriginMap origin_map_;
  RangeWatch ranges_;
  std::vector<NodeId> host_of_;     // by shard; kNoHost while it is lost
  wire::NodeSet dead_;              // nodes without a directory
  Effects effects_;
  News news_;
  Failure failure_;
  MachineCounters counters_;
  uint32_t fault_limit_;
};

inline constexpr NodeId kNoHost{0xffff};

}  // namespace dsm::sim
