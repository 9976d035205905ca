// SPDX-License-Identifier: Apache-2.0
// How long a page may be kept from another node beyond the minimum hold, learned for each page. A lease is only worth
// having while the holder goes on writing: it is looked at again and again, and the first look that finds the bytes
// unchanged ends it. So a spinning reader, a failing compare-and-swap or a finished critical section pays nothing.
#pragma once
#include <algorithm>
#include <cstdint>

#include "libdsm/base/ids.h"
#include "libdsm/coherence/cache_config.h"

namespace dsm::coherence {

class Lease {
 public:
  // From the mapping, as it stands now. 0: the minimum hold only.
  TimeNs cap_ns() const { return TimeNs{cap_us_} * 1000; }
  // Asked for while it was held, and still being written when the minimum hold ended.
  void busy_at_end_of_hold(const CacheConfig& config) {
    if (cap_us_ != 0) return;
    if (streak_ < needed_) ++streak_;
    if (streak_ >= needed_) grow(config, 2 * config.hold_ns);
  }
  // Still being written when the cap was reached.
  void busy_at_cap(const CacheConfig& config) {
    needed_ = kNeededFirst;
    grow(config, 2 * cap_ns());
  }
  // Nothing was written since the last look, in the minimum hold.
  void idle_at_end_of_hold() {
    cap_us_ = 0;
    streak_ = 0;
  }
  // Another node waited for nothing: the next lease must be earned by twice as many busy holds.
  void wasted() {
    idle_at_end_of_hold();
    needed_ = static_cast<uint8_t>(std::min<unsigned>(needed_ * 2u, kNeededMost));
  }
  uint64_t state() const { return cap_us_ | uint64_t{streak_} << 32 | uint64_t{needed_} << 40; }

 private:
  static constexpr uint8_t kNeededFirst = 2, kNeededMost = 64;
  void grow(const CacheConfig& config, TimeNs to_ns) {
    cap_us_ = static_cast<uint32_t>(std::min(to_ns, config.lease.max_ns) / 1000);
  }
  uint32_t cap_us_ = 0;
  uint8_t streak_ = 0;  // busy holds in a row
  uint8_t needed_ = kNeededFirst;
};

}  // namespace dsm::coherence
