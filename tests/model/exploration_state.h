// SPDX-License-Identifier: Apache-2.0
// One state of the exhaustive exploration, and the steps that can be taken from it.
//
// Time is abstracted: a node's clock stands still but for its timers, and a timer may fire whenever one is set and no
// woken instruction of that node has still to be repeated (without a hold, pages may be lost before that). An agent's work is cut
// only where somebody else could tell: after a message has left while the node's own mappings are still to change, and
// before a message to itself while one of its threads could run.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "libdsm/wire/hasher.h"
#include "tests/sim/machine.h"

namespace dsm::model {

inline constexpr unsigned kNodes = 3;

struct Limits {
  std::array<uint8_t, kNodes> operations{2, 2, 2};   // reads, writes and evictions by each node
  uint8_t drops = 1;                                 // by the origin; each is one of its operations
  uint8_t losses = 1;                                // of the page's shard
  uint16_t shard_host = 1;                           // where the page's shard is
  TimeNs hold_ns = 20'000;                           // 0: a page may go before the instruction that asked for it runs
  Mutation mutation = Mutation::kNone;
};

struct Step {
  enum class Kind : uint8_t {
    kRead, kWrite, kRetry, kTakeFault, kDeliver, kContinue, kTimer, kEvict, kDrop, kLoseDirectory, kAdoptShard
  };
  Kind kind{};
  uint8_t node = 0;
  uint16_t argument = 0;   // kDeliver: channel; kEvict: where to
};

class ExplorationState {
 public:
  explicit ExplorationState(const Limits&);

  // The steps that the protocol and the threads can take by themselves.
  std::vector<Step> steps() const;
  // New operations and disturbances, as far as the limits allow.
  std::vector<Step> operations() const;
  void take(const Step&);
  // Beyond the limits, for a last look at what is left.
  void read_once_more(NodeId);

  sim::Machine& machine() { return machine_; }
  const sim::Machine& machine() const { return machine_; }
  TimeNs clock(size_t node) const { return clock_[node]; }
  Hasher::Value digest() const;
  std::string to_string(const Step&) const;

 private:
  void perform(NodeId, Access);
  void work_on(NodeId);
  bool cut_before_next_action(NodeId, bool sent) const;
  bool thread_could_run(NodeId) const;
  bool agent_free(NodeId) const;
  TimeNs now(NodeId node) const { return clock_[node.value]; }

  sim::Machine machine_;
  std::array<uint8_t, kNodes> operations_;
  uint8_t drops_, losses_;
  bool lost_ = false;
  std::array<TimeNs, kNodes> clock_;   // not part of the digest: the objects give theirs relative to it
  uint16_t next_range_ = 1;
  uint16_t next_epoch_ = 2;
};

}  // namespace dsm::model
