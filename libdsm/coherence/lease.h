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
  // How much longer than the minimum hold a request may wait, as it stands now. 0: no longer.
  TimeNs cap_ns() const { return TimeNs{cap_us_} * 1000; }
  // Whether a request that comes after hold and lease, `held_ns` from the mapping, shall look if the page is still being
  // written, which costs it two looks: the requests of a slow network all come late.
  bool looks_late(const CacheConfig& config, TimeNs held_ns) {
    if (held_ns >= config.lease.max_ns) return false;
    if (late_left_ == 0) return true;
    --late_left_;
    return false;
  }
  // Asked for, and still being written when the minimum hold had ended.
  void busy_after_hold(const CacheConfig& config, TimeNs held_ns) {
    late_pause_ = late_left_ = 0;
    if (held_ns < cap_ns()) return;
    if (streak_ < needed_) ++streak_;
    if (streak_ >= needed_) grow(config, 2 * std::max(config.hold_ns, held_ns));
  }
  // Still being written when the cap was reached.
  void busy_at_cap(const CacheConfig& config) {
    needed_ = kNeededFirst;
    grow(config, 2 * cap_ns());
  }
  // Nothing was written between the two looks.
  void idle_after_hold() {
    cap_us_ = 0;
    streak_ = 0;
    late_pause_ = static_cast<uint8_t>(std::min(late_pause_ * 2u + 1u, kLatePauseMost));
    late_left_ = late_pause_;
  }
  // Another node waited for nothing: the next lease must be earned by twice as many busy holds.
  void wasted() {
    idle_after_hold();
    needed_ = static_cast<uint8_t>(std::min<unsigned>(needed_ * 2u, kNeededMost));
  }
  uint64_t state() const {
    return cap_us_ | uint64_t{streak_} << 32 | uint64_t{needed_} << 40 | uint64_t{late_pause_} << 48 | uint64_t{late_left_} << 56;
  }

 private:
  static constexpr uint8_t kNeededFirst = 2, kNeededMost = 64;
  static constexpr unsigned kLatePauseMost = 15;
  void grow(const CacheConfig& config, TimeNs to_ns) {
    cap_us_ = static_cast<uint32_t>(std::min(to_ns, config.lease.max_ns) / 1000);
  }
  uint32_t cap_us_ = 0;
  uint8_t streak_ = 0;  // busy holds in a row
  uint8_t needed_ = kNeededFirst;
  uint8_t late_pause_ = 0;  // requests that do not look, after one that looked in vain
  uint8_t late_left_ = 0;
};

}  // namespace dsm::coherence
