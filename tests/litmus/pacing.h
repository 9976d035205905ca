// SPDX-License-Identifier: Apache-2.0
// Time in ticks of the processor's counter, which all nodes of a test job share because they run
// on one machine. Threads meet at agreed times without touching shared memory.
#pragma once

#include <sched.h>
#include <time.h>
#include <x86intrin.h>

#include <cstdint>

namespace litmus {

using Ticks = int64_t;

inline Ticks now() { return static_cast<Ticks>(__rdtsc()); }

// Measured once, over ten milliseconds.
inline Ticks ticks_per_us() {
  static const Ticks measured = [] {
    auto ns = [] {
      timespec t{};
      clock_gettime(CLOCK_MONOTONIC, &t);
      return t.tv_sec * 1000000000LL + t.tv_nsec;
    };
    int64_t ns_begin = ns();
    Ticks begin = now();
    while (ns() - ns_begin < 10000000) _mm_pause();
    return (now() - begin) * 1000 / (ns() - ns_begin);
  }();
  return measured;
}

// Waits for a time. Far from it the processor is offered to others: there may be fewer processors
// than threads and agents.
inline void wait_until(Ticks when, Ticks near_ticks) {
  for (Ticks left; (left = when - now()) > 0;) {
    if (left > near_ticks) {
      sched_yield();
    } else {
      _mm_pause();
    }
  }
}

}  // namespace litmus
