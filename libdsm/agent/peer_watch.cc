// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/peer_watch.h"

#include <algorithm>

namespace dsm::agent {

void PeerWatch::up(NodeId peer, TimeNs now) {
  up_[peer.value] = true;
  heard_[peer.value] = now;
}

unsigned PeerWatch::count_up() const { return static_cast<unsigned>(std::count(up_.begin(), up_.end(), true)); }

PeerWatch::Verdict PeerWatch::check(TimeNs now) {
  if (now < next_check_) return {};
  bool we_paused = next_check_ != 0 && now > next_check_ + 2 * config_.heartbeat_ns;
  next_check_ = now + config_.heartbeat_ns;
  Verdict verdict;
  verdict.send_heartbeats = true;
  for (size_t i = 0; i < up_.size(); ++i) {
    if (!up_[i]) continue;
    if (we_paused) heard_[i] = now;
    if (now - std::min(now, heard_[i]) <= config_.dead_after_ns) continue;
    up_[i] = false;
    verdict.dead.push_back(NodeId{static_cast<uint16_t>(i)});
  }
  return verdict;
}

}  // namespace dsm::agent
