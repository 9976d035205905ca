// SPDX-License-Identifier: Apache-2.0
#include "tests/model/state_store.h"

#include <algorithm>

namespace dsm::model {
namespace {

constexpr size_t kFirstTable = 1 << 10;

}  // namespace

void StateStore::grow(Shard& shard) {
  const size_t size = std::max(kFirstTable, shard.table.size() * 2);
  shard.table.assign(size, 0);
  for (uint32_t place = 0; place < shard.digests.size(); ++place) {
    size_t at = shard.digests[place].high % size;
    while (shard.table[at] != 0) at = (at + 1) % size;
    shard.table[at] = place + 1;
  }
}

StateStore::Inserted StateStore::insert(const Hasher::Value& digest, const Origin& origin) {
  const auto number = static_cast<uint32_t>(digest.low % kShards);
  Shard& shard = shards_[number];
  const std::lock_guard lock(shard.mutex);
  if ((shard.digests.size() + 1) * 3 > shard.table.size() * 2) grow(shard);
  size_t at = digest.high % shard.table.size();
  for (; shard.table[at] != 0; at = (at + 1) % shard.table.size())
    if (shard.digests[shard.table[at] - 1] == digest) return {(shard.table[at] - 1) * kShards + number, false};
  const auto place = static_cast<uint32_t>(shard.digests.size());
  shard.digests.push_back(digest);
  shard.origins.push_back(origin);
  shard.table[at] = place + 1;
  ++size_;
  return {place * kShards + number, true};
}

uint64_t StateStore::id_bound() const {
  size_t longest = 0;
  for (const Shard& shard : shards_) longest = std::max(longest, shard.digests.size());
  return longest * kShards;
}

}  // namespace dsm::model
