// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/memory_keeper.h"

#include <algorithm>
#include <string>

#include "libdsm/os/process.h"

namespace dsm::agent {
namespace {

constexpr TimeNs kMs = 1'000'000;
constexpr TimeNs kMostHeldBack = 2'000 * kMs;
constexpr TimeNs kMostLeaving = 200 * kMs;    // an eviction that found the page held elsewhere, or nobody to take it
constexpr TimeNs kPrivateEvery = 10 * kMs;
constexpr TimeNs kStepEvery = 1 * kMs;        // while pages leave or faults wait
constexpr unsigned kMostPassed = 4096;        // pages that the hand passes in one step
constexpr TimeNs kTellEvery = 100 * kMs;
constexpr uint64_t kTellParts = 64;           // room is told when it has changed by this part of the budget

}  // namespace

void MemoryKeeper::measure(const NodeMemory& memory, TimeNs now) {
  if (now >= private_measured_ + kPrivateEvery || private_measured_ == 0) {
    private_bytes_ = os::own_private_bytes();
    private_measured_ = now;
  }
  budget_.set_used(memory.pages().bytes_held() + private_bytes_);
}

bool MemoryKeeper::hold_back(const fault::FaultEvent& event, const NodeMemory& memory, TimeNs now) {
  if (!active()) return false;
  budget_.touched(event.page);
  if (held_.empty()) measure(memory, now);
  if (held_.empty() && !budget_.full()) return false;
  if (memory.pages().present(event.page)) return false;   // adds nothing
  held_.push_back({event, now});
  return true;
}

memory::FrameKind MemoryKeeper::kind_of(PageNo page) const {
  switch (engine_.cache().state_of(page)) {
    case coherence::PageState::kShared: return memory::FrameKind::kCopy;
    case coherence::PageState::kExclusive:
    case coherence::PageState::kNative: return memory::FrameKind::kOwned;
    default: return memory::FrameKind::kKept;
  }
}

void MemoryKeeper::forget_gone(const NodeMemory& memory, TimeNs now) {
  if (now < looked_ + kStepEvery) return;
  looked_ = now;
  std::erase_if(leaving_, [&](const Leaving& l) { return now >= l.since + kMostLeaving || !memory.pages().present(l.page); });
}

// True if a page was asked to leave.
bool MemoryKeeper::evict(const NodeMemory& memory, TimeNs now) {
  uint64_t wanted = std::min<uint64_t>(budget_.pages_to_free(leaving_.size()), kMostUnderWay - leaving_.size());
  bool any = false;
  stuck_ = false;
  for (unsigned passed = 0; wanted > 0 && passed < kMostPassed; ++passed) {
    const std::optional<PageNo> page = memory.pages().next_content(hand_);
    if (!page) {
      const bool began_at_zero = hand_ == PageNo{};
      hand_ = PageNo{};
      budget_.wrapped();
      if (began_at_zero) break;
      continue;
    }
    hand_ = *page + 1;
    if (!budget_.takes(*page, kind_of(*page))) continue;
    const std::optional<NodeId> to = budget_.target();
    if (!to) {
      stuck_ = true;
      break;
    }
    engine_.evict(*page, *to, now);
    leaving_.push_back({*page, now});
    --wanted;
    any = true;
  }
  return any;
}

bool MemoryKeeper::step(NodeMemory& memory, TimeNs now, const std::function<void(const fault::FaultEvent&)>& serve) {
  if (!active()) return false;
  stepped_ = now;
  measure(memory, now);
  forget_gone(memory, now);
  bool any = evict(memory, now);
  while (!held_.empty()) {
    const bool late = now >= held_.front().since + kMostHeldBack;
    if (budget_.full() && !late) break;
    if (budget_.full() && stuck_ && !said_over_) {
      log_.error("no node has room: over the memory budget of " + std::to_string(budget_.bytes() >> 20) + " MiB");
      said_over_ = true;
    }
    const fault::FaultEvent event = held_.front().event;
    held_.pop_front();
    serve(event);
    any = true;
    measure(memory, now);
  }
  return any;
}

std::optional<TimeNs> MemoryKeeper::next_step() const {
  if (!active()) return std::nullopt;
  const bool busy = !held_.empty() || !leaving_.empty() || (!stuck_ && budget_.pages_to_free(0) > 0);
  return stepped_ + (busy ? kStepEvery : kTellEvery);
}

std::optional<uint64_t> MemoryKeeper::room_to_tell(TimeNs now) {
  if (!active()) return std::nullopt;
  const uint64_t room = budget_.room(), before = told_.value_or(0);
  const uint64_t change = room > before ? room - before : before - room;
  // Again now and then although nothing changed: the others count what they meant to send, and not all of it arrives.
  if (told_ && change < budget_.bytes() / kTellParts && now < told_at_ + kTellEvery) return std::nullopt;
  told_ = room;
  told_at_ = now;
  return room;
}

void MemoryKeeper::forget_process() {
  leaving_.clear();
  held_.clear();
  hand_ = PageNo{};
}

}  // namespace dsm::agent
