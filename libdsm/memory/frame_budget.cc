// SPDX-License-Identifier: Apache-2.0
#include "libdsm/memory/frame_budget.h"

#include <algorithm>

namespace dsm::memory {
namespace {

constexpr unsigned kRest = 8;   // a walk for copies only costs as much as any other

}  // namespace

FrameBudget::FrameBudget(uint64_t bytes, NodeId self, unsigned nodes) : bytes_(bytes), self_(self), room_of_(nodes, 0) {}

void FrameBudget::set_used(uint64_t bytes) {
  used_ = bytes;
  if (!limited()) return;
  if (!evicting_ && used_ >= high_mark()) {
    evicting_ = true;
    copies_only_ = without_copies_ == 0;
    if (without_copies_ > 0) --without_copies_;
    copies_ = 0;
  }
  if (evicting_ && used_ <= low_mark()) evicting_ = false;
}

uint64_t FrameBudget::pages_to_free(uint64_t under_way) const {
  if (!evicting_) return 0;
  const uint64_t pages = (used_ - low_mark() + kPageBytes - 1) / kPageBytes;
  return pages > under_way ? pages - under_way : 0;
}

void FrameBudget::set_room_of(NodeId node, uint64_t bytes) {
  if (node == self_ || node.value >= room_of_.size()) return;
  const uint64_t senders = std::max<uint64_t>(1, room_of_.size() - 1);
  room_of_[node.value] = bytes / senders;
}

std::optional<NodeId> FrameBudget::take_room() {
  auto most = std::max_element(room_of_.begin(), room_of_.end());
  if (most == room_of_.end() || *most < kPageBytes) return std::nullopt;
  *most -= kPageBytes;
  return NodeId{static_cast<uint16_t>(most - room_of_.begin())};
}

bool FrameBudget::others_have_room() const {
  return std::any_of(room_of_.begin(), room_of_.end(), [](uint64_t bytes) { return bytes >= kPageBytes; });
}

void FrameBudget::wrapped() {
  if (copies_only_ && copies_ == 0) without_copies_ = kRest;
  copies_only_ = false;
}

bool FrameBudget::takes(PageNo page, FrameKind kind) {
  copies_ += kind == FrameKind::kCopy;
  if (kind == FrameKind::kKept || (copies_only_ && kind != FrameKind::kCopy)) return false;
  auto it = touched_.find(page.block());
  if (it == touched_.end() || !it->second.test(page.index())) return true;
  it->second.reset(page.index());
  if (it->second.none()) touched_.erase(it);
  return false;
}

}  // namespace dsm::memory
