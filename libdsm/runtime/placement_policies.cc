// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/placement_policies.h"

namespace dsm::runtime {
namespace {

uint32_t round_robin(const PlacementView& view) { return view.number % view.nodes; }

// As many threads a node as it has CPUs, round and round.
uint32_t fill(const PlacementView& view) {
  uint32_t all = 0;
  for (uint32_t i = 0; i < view.nodes; i++) all += view.node[i].cpus;
  uint32_t place = view.number % all;
  for (uint32_t i = 0; i < view.nodes; i++) {
    if (place < view.node[i].cpus) return i;
    place -= view.node[i].cpus;
  }
  return 0;
}

uint32_t local(const PlacementView&) { return 0; }

uint32_t one_node(const PlacementView& view) { return view.wanted_node; }

// a/b < c/d without division.
bool less(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return uint64_t{a} * d < uint64_t{c} * b; }

// The fewest running threads for a CPU, then the fewest threads; equals by turns, so that a burst of new ones is spread.
uint32_t least(const PlacementView& view) {
  uint32_t best = view.nodes;
  for (uint32_t turn = 0; turn < view.nodes; turn++) {
    const uint32_t i = (view.number + turn) % view.nodes;
    const NodeView& here = view.node[i];
    if (here.drained) continue;
    if (best == view.nodes) {
      best = i;
      continue;
    }
    const NodeView& there = view.node[best];
    if (less(here.running, here.cpus, there.running, there.cpus) ||
        (!less(there.running, there.cpus, here.running, here.cpus) && less(here.threads, here.cpus, there.threads, there.cpus)))
      best = i;
  }
  return best;
}

struct Entry {
  abi::Placement name;
  PlacementPolicy policy;
};
constexpr Entry kPolicies[] = {
    {abi::kPlaceRoundRobin, {round_robin, false}}, {abi::kPlaceFill, {fill, false}},   {abi::kPlaceLocal, {local, false}},
    {abi::kPlaceNode, {one_node, false}},          {abi::kPlaceLeast, {least, true}},
};

constexpr bool complete() {
  for (const abi::PlacementName& name : abi::kPlacementNames) {
    bool found = false;
    for (const Entry& entry : kPolicies) found |= entry.name == name.policy;
    if (!found) return false;
  }
  return true;
}
static_assert(complete(), "a policy of abi::kPlacementNames has no function");

}  // namespace

PlacementPolicy placement_policy(abi::Placement policy) {
  for (const Entry& entry : kPolicies)
    if (entry.name == policy) return entry.policy;
  return kPolicies[0].policy;
}

uint32_t choose_node(const PlacementPolicy& policy, const PlacementView& view) {
  const uint32_t chosen = policy.choose(view);
  for (uint32_t turn = 0; turn < view.nodes; turn++) {
    const uint32_t node = ((chosen < view.nodes ? chosen : 0) + turn) % view.nodes;
    if (!view.node[node].drained) return node;
  }
  return 0;
}

}  // namespace dsm::runtime
