// SPDX-License-Identifier: Apache-2.0
// What a CacheController is told once, at its birth.
#pragma once
#include <cstdint>

#include "libdsm/base/ids.h"
#include "pagedir/mutation.h"

namespace dsm::coherence {

enum class LeaseMode : uint8_t { kOff = 0, kAuto = 1, kFixed = 2 };

struct LeaseConfig {
  LeaseMode mode = LeaseMode::kAuto;
  TimeNs max_ns = 1'000'000;    // kAuto: the most that a page may be kept from another node
  TimeNs fixed_ns = 0;          // kFixed
  TimeNs sample_ns = 20'000;    // between two looks at a page whose holder is asked to give it up
};

struct CacheConfig {
  NodeId self;
  unsigned nodes = 1;
  // Minimum hold: the faulting instruction must be able to retire before the page may go. Also without leases.
  TimeNs hold_ns = 20'000;
  unsigned max_holds = 8;         // while the same thread waits for another page
  LeaseConfig lease;
  uint16_t prefetch_max = 64;     // pages of one read-ahead run; 1: no fetch-ahead
  uint16_t zero_batch_max = 64;   // pages filled by one first touch inside an extent
  Mutation mutation = Mutation::kNone;
};

}  // namespace dsm::coherence
