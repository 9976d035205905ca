// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/disturber.h"

#include "libdsm/base/check.h"

namespace dsm::sim {
namespace {

constexpr uint64_t kFirstRange = 1;

bool is_range(Disturbance::Kind kind) { return kind < Disturbance::Kind::kEvict; }

wire::RangeOp op_of(Disturbance::Kind kind) {
  switch (kind) {
    case Disturbance::Kind::kDrop:
    case Disturbance::Kind::kUnmap: return wire::RangeOp::kDrop;
    case Disturbance::Kind::kMakeInaccessible: return wire::RangeOp::kRecallExclusive;
    default: return wire::RangeOp::kRecallShared;
  }
}

}  // namespace

NodeId Disturber::node_for(uint32_t number) const {
  const Disturbance& d = list_[number];
  return is_range(d.kind) ? kOrigin : d.node;
}

std::string Disturber::describe(uint32_t number) const {
  const Disturbance& d = list_[number];
  std::string text = std::string(name_of(d.kind)) + " stage " + std::to_string(stage_[number]) + " pages " +
                     std::to_string(d.range.first.value) + "+" + std::to_string(d.range.count);
  if (!is_range(d.kind)) text += " node " + std::to_string(d.node.value) + " to " + std::to_string(d.to.value);
  return text;
}

uint32_t Disturber::owner_of(RangeId id) const { return static_cast<uint32_t>(id.value - kFirstRange); }

std::optional<uint64_t> Disturber::advance(uint32_t number, Machine& machine, TimeNs now) {
  const Disturbance& d = list_[number];
  const unsigned stage = stage_[number]++;
  if (is_range(d.kind)) return advance_range(d, stage, RangeId{kFirstRange + number}, machine, now);
  if (d.kind == Disturbance::Kind::kLoseDirectory) return advance_loss(d, stage, machine, now);
  if (d.node != d.to) machine.evict(d.range.first, d.node, d.to, now);
  return std::nullopt;
}

// Stage 0 asks for the transaction; stage 1 follows RangeFinished; stage 2 undoes what was done.
std::optional<uint64_t> Disturber::advance_range(const Disturbance& d, unsigned stage, RangeId id, Machine& machine,
                                                 TimeNs now) {
  using Kind = Disturbance::Kind;
  OriginMap& map = machine.origin_map();
  if (stage == 0) {
    // A request that comes after the drop must already see that the memory is gone.
    if (d.kind == Kind::kUnmap) map.set(d.range, Protection::kUnmapped, machine.step());
    machine.begin_range(id, d.range, op_of(d.kind), now);
    return std::nullopt;
  }
  if (stage == 1) {
    switch (d.kind) {
      case Kind::kDrop: return std::nullopt;
      case Kind::kMakeReadOnly:
        map.set(d.range, Protection::kRead, machine.step());
        machine.resume_range(id, now);
        return d.lasts_ns;
      case Kind::kMakeInaccessible:
        map.set(d.range, Protection::kNone, machine.step());
        machine.resume_range(id, now);
        return d.lasts_ns;
      default: return d.lasts_ns;
    }
  }
  DSM_CHECK(stage == 2);
  if (d.kind == Kind::kFork)
    machine.resume_range(id, now);
  else
    map.set(d.range, Protection::kReadWrite, machine.step());
  return std::nullopt;
}

std::optional<uint64_t> Disturber::advance_loss(const Disturbance& d, unsigned stage, Machine& machine, TimeNs now) {
  if (stage == 0) {
    machine.lose_directory(d.range.first);
    return d.lasts_ns;
  }
  machine.adopt_lost(d.node, next_epoch_++, now);
  return std::nullopt;
}

}  // namespace dsm::sim
