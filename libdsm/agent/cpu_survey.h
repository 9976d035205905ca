// SPDX-License-Identifier: Apache-2.0
// CpuSurvey: how much CPU time the program's threads have used on the other nodes. The origin asks every peer when its
// runtime wants to know, and remembers the sum for a moment, since programs ask in loops. Pure; owner-thread only.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "libdsm/base/ids.h"

namespace dsm::agent {

class CpuSurvey {
 public:
  static constexpr TimeNs kFresh = 1'000'000;

  explicit CpuSurvey(unsigned nodes) : answers_(nodes) {}

  // The sum in ns if it is known well enough now. Otherwise `serial` waits for answered(), and if start() says so, a new
  // round of questions goes out.
  std::optional<uint64_t> ask(uint32_t serial, TimeNs now);
  // A round begins with these nodes; returns its number for the questions.
  std::optional<uint64_t> start(const std::vector<NodeId>& peers);
  // True when the round is complete: take() has the serials that waited, sum() the answer.
  bool answered(NodeId peer, uint64_t round, uint64_t cpu_ns, TimeNs now);
  std::vector<uint32_t> take();
  uint64_t sum() const;

 private:
  std::vector<uint64_t> answers_;   // by node; never falls
  std::vector<NodeId> asked_;       // who has not answered in this round
  std::vector<uint32_t> waiting_;
  uint64_t round_ = 0;
  std::optional<TimeNs> known_at_;
};

}  // namespace dsm::agent
