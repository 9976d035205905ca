// SPDX-License-Identifier: Apache-2.0
// Who faulted last on a page, until when it must be kept for that, and its lease.
#pragma once
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/coherence/lease.h"
#include "libdsm/coherence/thread_streams.h"

namespace dsm::coherence {

struct PageUse {
  ThreadId thread;
  TimeNs mapped_at = 0;
  TimeNs hold_until = 0;
  Lease lease;
};

// What is remembered of a thread of this node.
struct ThreadUse {
  static constexpr unsigned kChain = 8;
  bool blocked = false;               // said to make no progress, and no fault since
  bool waiting = false;               // for a page
  std::array<PageNo, kChain> chain{};  // pages it got within their holds: one instruction may need them all
  unsigned chained = 0;
  unsigned losses = 0;                 // waits in which one of them had to go, less those in which all stayed
  unsigned waits = 0;                  // since the first of them: another draw each time
  bool lost = false;                   // ... this wait is one
  TimeNs waiting_since = 0;
  TimeNs last_wait_ns = 0;             // a hold that is shorter than the waits it must cover is useless
  ThreadStreams streams;
  ThreadStreams upgrades;              // of pages that were here for reading
  PageNo zero_next{};                 // first touches go on here ...
  uint16_t zero_batch = 0;            // ... with so many pages
};

using ThreadUses = std::unordered_map<int32_t, ThreadUse>;

}  // namespace dsm::coherence
