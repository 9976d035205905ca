// SPDX-License-Identifier: Apache-2.0
#include "tests/model/node_pool.h"

namespace dsm::model {

void NodePool::share(sim::NodeTable& table, size_t i, TimeNs clock) {
  // By its numbers themselves, not their order: the order among those of other nodes is known only in one state.
  const sim::NodeTable::Local& local = table.local(i);
  Hasher hasher;
  hasher.add(clock);
  hasher.add(local.digest.low);
  hasher.add(local.digest.high);
  for (const IdRanks::Id& id : local.ids) {
    hasher.add(id.space);
    hasher.add(id.id);
  }
  const Hasher::Value digest = hasher.value();
  Part& part = parts_[digest.low % kParts];
  const std::lock_guard lock(part.mutex);
  const auto [it, fresh] = part.nodes.try_emplace(digest, table.shared(i));
  if (!fresh) table.replace(i, it->second);
}

void NodePool::purge() {
  for (Part& part : parts_) std::erase_if(part.nodes, [](const auto& entry) { return entry.second.use_count() == 1; });
}

}  // namespace dsm::model
