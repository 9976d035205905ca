// SPDX-License-Identifier: Apache-2.0
// The range transaction that the origin coordinates, one at a time, and those that wait behind it.
#pragma once
#include <deque>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"

namespace dsm::coherence {

struct RangeState {
  enum class Phase : uint8_t {
    kIdle,
    kQuiescing,  // directory hosts wait for what is in flight, and recall
    kDropping,   // quiet; holders discard
    kRecalled,   // RangeFinished is out; held until resume_range
  };
  struct Job {
    RangeId id;
    PageRange range;
    wire::RangeOp op{};
  };

  Phase phase = Phase::kIdle;
  Job job;
  wire::Version version = 0;      // of the last drop
  wire::NodeSet hosts;            // that were asked to hold the range
  wire::NodeSet waiting_hosts;    // kQuiescing
  wire::NodeSet holders;          // as the hosts said
  wire::NodeSet waiting_holders;  // kDropping
  std::deque<Job> queue;
  std::vector<BlockNo> held_opens;  // OpenBlock for a block of the range: answered when it is over

  bool touches(BlockNo b) const {
    const uint64_t first = first_page(b).value;
    return phase != Phase::kIdle && job.range.count != 0 && first < job.range.first.value + job.range.count &&
           job.range.first.value < first + kPagesPerBlock;
  }
};

}  // namespace dsm::coherence
