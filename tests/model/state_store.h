// SPDX-License-Identifier: Apache-2.0
// The states that have been seen, by their 128-bit digest, and how each was first reached. Several threads may call
// insert() at once; everything else needs them to have stopped.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "libdsm/wire/hasher.h"
#include "tests/model/exploration_state.h"

namespace dsm::model {

// Number of a state: shard in the low bits, place in the shard above.
using StateId = uint32_t;

class StateStore {
 public:
  struct Origin {
    StateId parent = 0;
    Step step;
  };
  struct Inserted {
    StateId id;
    bool fresh;
  };
  Inserted insert(const Hasher::Value&, const Origin&);
  Origin origin(StateId id) const { return shards_[id % kShards].origins[id / kShards]; }
  uint64_t size() const { return size_; }
  // One more than the largest id can be; not every number below it is a state.
  uint64_t id_bound() const;
  bool exists(StateId id) const { return id / kShards < shards_[id % kShards].digests.size(); }

 private:
  static constexpr uint32_t kShards = 64;
  struct Shard {
    std::mutex mutex;
    std::vector<uint32_t> table;            // open addressing: place + 1, or 0
    std::vector<Hasher::Value> digests;     // by place
    std::vector<Origin> origins;            // by place
  };
  static void grow(Shard&);
  std::array<Shard, kShards> shards_;
  std::atomic<uint64_t> size_{0};
};

}  // namespace dsm::model
