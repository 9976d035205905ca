// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/cpu_survey.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace dsm::agent {

std::optional<uint64_t> CpuSurvey::ask(uint32_t serial, TimeNs now) {
  if (known_at_ && now - *known_at_ < kFresh) return sum();
  waiting_.push_back(serial);
  return std::nullopt;
}

std::optional<uint64_t> CpuSurvey::start(const std::vector<NodeId>& peers) {
  if (waiting_.empty() || !asked_.empty() || peers.empty()) return std::nullopt;
  asked_ = peers;
  return ++round_;
}

bool CpuSurvey::answered(NodeId peer, uint64_t round, uint64_t cpu_ns, TimeNs now) {
  if (round != round_ || std::erase(asked_, peer) == 0) return false;
  answers_[peer.value] = std::max(answers_[peer.value], cpu_ns);
  if (!asked_.empty()) return false;
  known_at_ = now;
  return true;
}

std::vector<uint32_t> CpuSurvey::take() { return std::exchange(waiting_, {}); }

uint64_t CpuSurvey::sum() const { return std::accumulate(answers_.begin(), answers_.end(), uint64_t{0}); }

}  // namespace dsm::agent
