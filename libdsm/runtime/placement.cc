// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/placement.h"

#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {

uint32_t place_thread() {
  Process& self = process();
  const abi::Welcome& welcome = self.welcome;
  const uint32_t nodes = welcome.nodes != 0 ? welcome.nodes : 1;
  // The main thread is number 0, on node 0.
  const uint32_t number = __atomic_add_fetch(&self.remote.threads_placed, 1, __ATOMIC_RELAXED);
  switch (welcome.place) {
    case abi::kPlaceFill: {
      // Nodes are taken to be alike: as many threads a node as this one has CPUs, round and round.
      const uint32_t cpus = welcome.cpus_of_node[0] != 0 ? welcome.cpus_of_node[0] : 1;
      return number / cpus % nodes;
    }
    case abi::kPlaceLocal:
      return 0;
    case abi::kPlaceNode:
      return welcome.place_node < nodes ? welcome.place_node : 0;
    default:
      return number % nodes;
  }
}

}  // namespace dsm::runtime
