// SPDX-License-Identifier: Apache-2.0
// CutSelection: which pages of open blocks this node writes into a checkpoint. Each page that has content anywhere is written by
// exactly one node: Exclusive ones by their owner, Shared ones by the sharer that their directory shard names. Pure.
//
// Valid while the world is stopped and drained: no transaction is in flight on any node, so the directory's sets are exact, no page is
// Sent, and no content changes. Pages of blocks that were never opened are the origin's, by presence, and are not here.
#pragma once
#include <map>
#include <string>

#include "libdsm/coherence/cache_controller.h"
#include "pagedir/cut_share.h"

namespace dsm::coherence {

class CutSelection {
 public:
  // Looks at the cache now; it must be idle. Does not keep it.
  explicit CutSelection(const CacheController& cache);

  // One for each share that a directory shard has for this node. An error, and the generation must not be used: the directory names a
  // page that is not Shared here, or names it twice.
  [[nodiscard]] std::string add(const pagedir::CutShare& share);

  // Instead: all that is Shared here is this node's, since nobody else writes a part.
  void add_all_shared();

  // By block. Complete when the shares of all shards have been added.
  const std::map<BlockNo, wire::BlockBits>& pages() const { return pages_; }
  uint64_t count() const;

 private:
  std::map<BlockNo, wire::BlockBits> pages_;
  std::map<BlockNo, wire::BlockBits> shared_;  // not given to anybody by the shares so far
};

}  // namespace dsm::coherence
