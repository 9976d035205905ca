// SPDX-License-Identifier: Apache-2.0
// One node: the real CacheController and DirectoryService, the model of its kernel, and an agent that executes actions
// one at a time, so that whoever drives it can let threads of the program and other nodes run in between.
//
// A copy is an independent node: the exhaustive exploration branches by copying.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "libdsm/coherence/cache_controller.h"
#include "pagedir/directory_service.h"
#include "tests/sim/failure.h"
#include "tests/sim/network.h"
#include "tests/sim/kernel_model.h"
#include "tests/sim/origin_map.h"

namespace dsm::sim {

// What a step of a node means for the rest of the world.
struct Effects {
  std::vector<Packet> sent;                    // to other nodes
  std::vector<PageRange> woken;                // threads of this node that wait in these pages
  std::vector<coherence::RaiseFault> refused;
  std::vector<RangeId> finished;
  std::vector<PageRange> touched;              // pages whose state may have changed
  std::vector<PageRange> zapped;
  void clear();
};

class ModelNode {
 public:
  ModelNode(const coherence::CacheConfig&, const pagedir::DirectoryConfig&, const pagedir::ShardMap&);

  NodeId id() const { return id_; }
  NodeMemory& memory() { return memory_; }
  const NodeMemory& memory() const { return memory_; }
  coherence::CacheController& cache() { return cache_; }
  const coherence::CacheController& cache() const { return cache_; }
  pagedir::DirectoryService& directory() { return directory_; }
  const pagedir::DirectoryService& directory() const { return directory_; }

  // ---- Events: the agent must have no action left ----
  bool busy() const { return next_ < actions_.size(); }
  void fault(const coherence::Fault&, TimeNs now);
  // The payload of a Data message goes straight into the memfd, before the message is handled. False if the cache does
  // not want that.
  bool receive_in_place(const Packet&, Effects&, Failure&);
  void receive(Packet, TimeNs now, Effects&, Failure&);
  void timer(TimeNs now);
  void thread_blocked(ThreadId, TimeNs now);
  void evict(PageNo, NodeId to, TimeNs now);
  void drop_range(RangeId, const PageRange&, wire::RangeOp, TimeNs now);
  void resume_range(RangeId, TimeNs now);
  void adopt(ShardId, uint32_t epoch, const wire::NodeSet& everyone, TimeNs now, Effects&);

  // Messages that this node sent to itself come before anything else once the actions are done.
  bool has_own_message() const { return !busy() && !own_.empty(); }
  const wire::Envelope& own_message() const { return own_.front().envelope; }
  // The directory process dies, and a new one that hosts nothing is there to be told what to adopt.
  void lose_directory(const pagedir::DirectoryConfig&, const pagedir::ShardMap&);
  void forget_own_directory_messages();
  void receive_own(TimeNs now, Effects&, Failure&);

  // ---- Actions ----
  const coherence::Action& next_action() const { return actions_[next_]; }
  void execute_next(TimeNs now, const OriginMap&, Effects&, Failure&);

  // Content that exists only in the message being handled.
  bool handles(PageNo, Token) const;
  bool quiet() const { return !busy() && own_.empty(); }
  void digest(Hasher&) const;

 private:
  friend class ActionExecutor;
  void begin();
  void end_of_actions(Effects&);
  void route(wire::Envelope, std::vector<Token> payload, Effects&);
  void send_all(const pagedir::Sends&, Effects&);

  NodeId id_;
  coherence::CacheController cache_;
  pagedir::DirectoryService directory_;
  NodeMemory memory_;
  coherence::Actions actions_;
  size_t next_ = 0;
  std::optional<Packet> current_;  // the message that the actions answer to
  std::vector<PageRange> installed_;   // of its payload
  std::deque<Packet> own_;
};

}  // namespace dsm::sim
