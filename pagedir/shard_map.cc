// SPDX-License-Identifier: Apache-2.0
#include "pagedir/shard_map.h"

#include <algorithm>

namespace dsm::pagedir {

ShardMap ShardMap::uniform(unsigned nodes, unsigned shards) {
  ShardMap map;
  map.nodes_ = nodes;
  map.hosts_.resize(std::max(shards, 2 * nodes));
  for (unsigned s = 0; s < map.hosts_.size(); ++s) map.hosts_[s] = NodeId{static_cast<uint16_t>(s % nodes)};
  return map;
}

// Neighbouring blocks must not land on one node, and a stride must not either.
ShardId ShardMap::shard_of(BlockNo block) const {
  const uint64_t mixed = (block.value ^ (block.value >> 17)) * 0x9e3779b97f4a7c15u;
  return ShardId{static_cast<uint16_t>(((mixed >> 32) * hosts_.size()) >> 32)};
}

wire::NodeSet ShardMap::hosts() const {
  wire::NodeSet set;
  for (NodeId n : hosts_) set.insert(n);
  return set;
}

void ShardMap::move(ShardId shard, NodeId to) {
  hosts_[shard.value] = to;
  ++version_;
}

}  // namespace dsm::pagedir
