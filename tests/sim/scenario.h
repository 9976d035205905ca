// SPDX-License-Identifier: Apache-2.0
// What one schedule consists of, all derived from its seed: nodes, timing, the program's threads, what the origin does
// to the address map, evictions and losses of shards.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libdsm/coherence/cache_config.h"
#include "tests/sim/scripted_thread.h"
#include "libdsm/wire/messages.h"
#include "pagedir/shard_map.h"

namespace dsm::sim {

// Ranges of delays in ns, log-uniform.
struct Timing {
  struct Span {
    uint64_t low, high;
  };
  Span instruction;    // between two instructions of a thread, and from a wake to the repeated instruction
  Span wire;           // a message
  Span pause;          // of an agent between two actions, when it is preempted
  unsigned preempted_percent;
  uint32_t fault_limit;   // faults until an operation retires; beyond is a livelock
  bool chaotic;
};

// Something that happens to memory from outside the program's loads and stores, at a moment of its own.
struct Disturbance {
  enum class Kind : uint8_t { kDrop, kUnmap, kMakeReadOnly, kMakeInaccessible, kFork, kEvict, kLoseDirectory };
  Kind kind{};
  uint64_t at_ns = 0;
  uint64_t lasts_ns = 0;   // until it is undone: mapped again, writable again, resumed, shard adopted
  PageRange range{};       // kEvict, kLoseDirectory: first page
  NodeId node{};           // kEvict: who gives up; kLoseDirectory: who adopts
  NodeId to{};             // kEvict
};

struct Scenario {
  uint64_t seed = 0;
  unsigned nodes = 2;
  pagedir::ShardMap map;
  Timing timing{};                       // the default sets no limits
  coherence::CacheConfig cache{};        // `self` is filled in for each node
  std::vector<PageNo> pages;             // that the program touches, sorted
  std::vector<ScriptedThread> threads;
  std::vector<Disturbance> disturbances;
};

struct Overrides {
  std::optional<unsigned> nodes;
  Mutation mutation = Mutation::kNone;
  std::vector<Disturbance::Kind> without;
};

Scenario make_scenario(uint64_t seed, const Overrides&);
std::string describe(const Scenario&);
const char* name_of(Disturbance::Kind);
std::vector<Disturbance::Kind> all_disturbances();

}  // namespace dsm::sim
