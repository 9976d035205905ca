// SPDX-License-Identifier: Apache-2.0
// The tools' clock: CLOCK_MONOTONIC in nanoseconds.
#pragma once
#include <ctime>

#include "libdsm/base/ids.h"

namespace dsm::tools {

inline constexpr TimeNs kSecond = 1000000000;

inline TimeNs monotonic_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<TimeNs>(t.tv_sec) * kSecond + static_cast<TimeNs>(t.tv_nsec);
}

}  // namespace dsm::tools
