// SPDX-License-Identifier: Apache-2.0
// Carries out a scenario's disturbances, each through its stages: range transactions with the change of the address map
// that they serve, and its undoing; evictions; the loss and adoption of a shard.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/machine.h"
#include "tests/sim/scenario.h"

namespace dsm::sim {

class Disturber {
 public:
  explicit Disturber(std::vector<Disturbance> list) : list_(std::move(list)), stage_(list_.size()) {}

  size_t size() const { return list_.size(); }
  uint64_t starts_at(uint32_t number) const { return list_[number].at_ns; }
  // The node whose agent must be free for the next stage.
  NodeId node_for(uint32_t number) const;
  // Does the next stage. The result is the delay until the one after it, if that is a matter of time.
  std::optional<uint64_t> advance(uint32_t number, Machine&, TimeNs now);
  // The number of the disturbance that this range belongs to; its next stage is due now.
  uint32_t owner_of(RangeId) const;
  std::string describe(uint32_t number) const;

 private:
  std::optional<uint64_t> advance_range(const Disturbance&, unsigned stage, RangeId, Machine&, TimeNs now);
  std::optional<uint64_t> advance_loss(const Disturbance&, unsigned stage, Machine&, TimeNs now);

  std::vector<Disturbance> list_;
  std::vector<unsigned> stage_;
  uint32_t next_epoch_ = 2;
};

}  // namespace dsm::sim
