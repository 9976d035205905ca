// SPDX-License-Identifier: Apache-2.0
// PollPolicy: whether an idle turn of the event loop looks again at once or lets the kernel wake it. A halted CPU costs
// 30-50 us to wake, which hides everything else, so a short spin pays while an answer is due; but agents that spin on
// more than half of a host's CPUs only take them from the program. --poll always spins whatever the share, and for a
// while after each message and fault: a node that only serves others never has a transaction of its own in flight. Pure.
#pragma once
#include "libdsm/agent/agent_config.h"

namespace dsm::agent {

class PollPolicy {
 public:
  static constexpr TimeNs kSpinNs = 50'000;
  static constexpr TimeNs kLingerNs = 1'000'000;  // kAlways

  explicit PollPolicy(PollMode mode) : mode_(mode) {}
  // `agents` of this job run on this host, which has `cpus`.
  void set_host_share(unsigned agents, unsigned cpus) { share_allows_ = agents * 2 <= cpus; }

  void progressed(TimeNs now) { last_progress_ = now; }
  bool spins(bool in_flight, TimeNs now) const {
    if (mode_ == PollMode::kAlways) return in_flight || now - last_progress_ < kLingerNs;
    return mode_ == PollMode::kAuto && share_allows_ && in_flight && now - last_progress_ < kSpinNs;
  }
  // For the ends of a runtime's channels.
  uint32_t channel_spin_us() const {
    if (mode_ == PollMode::kAlways) return kLingerNs / 1000;
    return mode_ == PollMode::kAuto && share_allows_ ? kSpinNs / 1000 : 0;
  }

 private:
  PollMode mode_;
  bool share_allows_ = false;
  TimeNs last_progress_ = 0;
};

}  // namespace dsm::agent
