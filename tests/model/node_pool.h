// SPDX-License-Identifier: Apache-2.0
// Equal nodes of different states are kept once: most steps change one node of three, and few node states exist.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "libdsm/wire/hasher.h"
#include "tests/sim/node_table.h"

namespace dsm::model {

class NodePool {
 public:
  // Exchanges node i of the table for an equal one at the same time of its clock, if there is one.
  void share(sim::NodeTable&, size_t i, TimeNs clock);
  // Forgets the nodes that no state uses any more.
  void purge();

 private:
  static constexpr unsigned kParts = 16;
  struct DigestHash {
    size_t operator()(const Hasher::Value& v) const { return v.high; }
  };
  struct Part {
    std::mutex mutex;
    std::unordered_map<Hasher::Value, sim::NodeTable::Shared, DigestHash> nodes;
  };
  std::array<Part, kParts> parts_;
};

}  // namespace dsm::model
