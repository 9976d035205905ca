// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/placement.h"

#include "libdsm/runtime/atomics.h"
#include "libdsm/runtime/placement_policies.h"
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {
namespace {

bool computes(abi::ThreadState state) { return state == abi::ThreadState::kRunning || state == abi::ThreadState::kShadow; }

void count_threads(NodeView* node, uint32_t nodes) {
  const abi::Board& board = *process().board;
  const uint32_t used = __atomic_load_n(&board.high_water, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < used; i++) {
    const abi::ThreadSlot& slot = board.slot[i];
    const abi::ThreadState state = load_relaxed(slot.state);
    if (state == abi::ThreadState::kFree || slot.node >= nodes) continue;
    node[slot.node].threads++;
    if (computes(state)) node[slot.node].running++;
  }
}

}  // namespace

bool is_drained(uint32_t node) {
  const abi::Board* board = process().board;
  return board != nullptr && node < abi::kBoardNodes &&
         (__atomic_load_n(&board->drained[node / 64], __ATOMIC_RELAXED) >> (node % 64) & 1) != 0;
}

uint32_t place_thread() {
  Process& self = process();
  const abi::Welcome& welcome = self.welcome;
  NodeView node[abi::kBoardNodes] = {};
  const uint32_t nodes = welcome.nodes == 0 ? 1 : welcome.nodes < abi::kBoardNodes ? welcome.nodes : abi::kBoardNodes;
  const PlacementPolicy policy = placement_policy(static_cast<abi::Placement>(welcome.place));
  for (uint32_t i = 0; i < nodes; i++) {
    node[i].drained = is_drained(i);
    node[i].cpus = self.board != nullptr ? self.board->cpus[i] : 0;
    if (node[i].cpus == 0) node[i].cpus = welcome.cpus_of_node[0] != 0 ? welcome.cpus_of_node[0] : 1;
  }
  if (self.board != nullptr && policy.counts_threads) count_threads(node, nodes);
  // The main thread is number 0, on node 0.
  const uint32_t number = __atomic_add_fetch(&self.remote.threads_placed, 1, __ATOMIC_RELAXED);
  return choose_node(policy, {node, nodes, number, welcome.place_node});
}

}  // namespace dsm::runtime
