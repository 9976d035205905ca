// SPDX-License-Identifier: Apache-2.0
// The placement policies: pure functions of a small view of the nodes. A new one is a function, a line in the table of
// placement_policies.cc and a name in abi::kPlacementNames; dsm-launch offers it by itself.
#pragma once
#include "libdsm/runtime/abi.h"

namespace dsm::runtime {

struct NodeView {
  uint32_t threads;    // of the program, there now
  uint32_t running;    // of them, not in a call that may sleep
  uint32_t cpus;       // at least 1
  bool drained;
};

struct PlacementView {
  const NodeView* node;
  uint32_t nodes;        // at least 1; node 0 is never drained
  uint32_t number;       // of the new thread: 1 for the first that is created
  uint32_t wanted_node;  // of --place node:K
};

struct PlacementPolicy {
  uint32_t (*choose)(const PlacementView&);   // may name a drained node or one that does not exist: choose_node() corrects it
  bool counts_threads;                        // looks at `threads` and `running`
};

// Round robin for a policy that does not exist.
PlacementPolicy placement_policy(abi::Placement policy);

// The policy's choice, or the next node behind it that takes threads.
uint32_t choose_node(const PlacementPolicy& policy, const PlacementView& view);

}  // namespace dsm::runtime
