// SPDX-License-Identifier: Apache-2.0
// This node's CLOCK_MONOTONIC. Protocol code never reads a clock; it is given `now`.
#pragma once
#include <ctime>

#include "libdsm/base/ids.h"

namespace dsm::os {

inline TimeNs now_ns() {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);  // vdso, about 20 ns
  return static_cast<TimeNs>(t.tv_sec) * 1'000'000'000u + static_cast<TimeNs>(t.tv_nsec);
}

}  // namespace dsm::os
