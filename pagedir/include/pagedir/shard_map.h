// SPDX-License-Identifier: Apache-2.0
// Which node hosts the directory entry of a page: blocks are hashed to shards, shards are placed on nodes. There are
// always more shards than nodes, so that one can move without moving the others. A plain value; every node has a copy
// of the same version.
#pragma once
#include <cstdint>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/node_set.h"

namespace dsm::pagedir {

inline constexpr unsigned kDefaultShards = 64;

class ShardMap {
 public:
  // Shard s on node s % nodes.
  static ShardMap uniform(unsigned nodes, unsigned shards = kDefaultShards);

  ShardId shard_of(BlockNo) const;
  ShardId shard_of(PageNo page) const { return shard_of(page.block()); }
  NodeId host_of(ShardId shard) const { return hosts_[shard.value]; }
  NodeId host_of(PageNo page) const { return host_of(shard_of(page)); }
  // Every node that hosts a shard.
  wire::NodeSet hosts() const;
  unsigned shards() const { return static_cast<unsigned>(hosts_.size()); }
  unsigned nodes() const { return nodes_; }
  uint32_t version() const { return version_; }
  // Raises the version.
  void move(ShardId, NodeId to);

 private:
  uint32_t version_ = 1;
  unsigned nodes_ = 1;
  std::vector<NodeId> hosts_;
};

}  // namespace dsm::pagedir
