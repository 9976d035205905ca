// SPDX-License-Identifier: Apache-2.0
// PeerWatch: which peers have been silent for too long. Pure; the agent feeds it what it hears and the time. A pause of
// our own (SIGSTOP, a suspended machine) is not held against the peers: what they sent meanwhile is unread.
#pragma once
#include <optional>
#include <vector>

#include "libdsm/base/ids.h"

namespace dsm::agent {

class PeerWatch {
 public:
  struct Config {
    TimeNs heartbeat_ns = 500'000'000;
    TimeNs dead_after_ns = 5'000'000'000;
  };
  PeerWatch(unsigned nodes, const Config& config) : config_(config), heard_(nodes, 0), up_(nodes, false) {}

  void up(NodeId peer, TimeNs now);
  void down(NodeId peer) { up_[peer.value] = false; }
  bool is_up(NodeId peer) const { return up_[peer.value]; }
  unsigned count_up() const;
  void heard(NodeId peer, TimeNs now) { heard_[peer.value] = now; }

  struct Verdict {
    bool send_heartbeats = false;
    std::vector<NodeId> dead;  // each once
  };
  Verdict check(TimeNs now);
  TimeNs next_check() const { return next_check_; }
  TimeNs dead_after() const { return config_.dead_after_ns; }

 private:
  Config config_;
  std::vector<TimeNs> heard_;
  std::vector<bool> up_;
  TimeNs next_check_ = 0;
};

}  // namespace dsm::agent
