// SPDX-License-Identifier: Apache-2.0
// What a cache has done since its birth. Never part of a decision.
#pragma once
#include <cstdint>

namespace dsm::coherence {

struct CacheCounters {
  uint64_t read_faults = 0, write_faults = 0, upgrade_faults = 0;  // by what the page's state was at the fault
  uint64_t local_faults = 0;         // resolved here: extents, pages already granted
  uint64_t follower_joins = 0;       // faults on a page already asked for
  uint64_t requests = 0;             // Request messages
  uint64_t prefetched = 0, prefetch_used = 0;   // pages
  uint64_t prefetch_lost = 0;        // pages that went before anybody touched them
  uint64_t extents = 0, extent_pages = 0, zero_filled = 0;
  uint64_t pages_in = 0, pages_out = 0;         // with content
  uint64_t invalidations = 0, downgrades = 0;
  uint64_t migrations = 0;           // pages handed over whole to a reader
  uint64_t holds = 0;                // requests of others that waited for the minimum hold
  uint64_t lease_deferrals = 0;      // ... for a lease beyond it
  uint64_t refusals = 0;
  uint64_t stale_discarded = 0;      // messages of an older life of the page or an older epoch
};

struct HeldPages {
  uint64_t shared = 0, exclusive = 0, hole = 0, sent = 0;
};

}  // namespace dsm::coherence
