// SPDX-License-Identifier: Apache-2.0
// How one instance of a test begins and how its threads are skewed: a pure function of the seed,
// the instance and the thread, so that all threads agree without talking to each other.
#pragma once

#include <cmath>
#include <cstdint>

#include "pacing.h"

namespace litmus {

// The state of a location at the participating nodes before the instance.
enum class Start : uint8_t {
  Absent,     // no participant holds the page
  Shared,     // all hold it for reading
  Exclusive,  // one of them, drawn at random, owns it
};
inline constexpr int kStarts = 3;
inline const char* name_of(Start s) {
  return s == Start::Absent ? "absent" : s == Start::Shared ? "shared" : "exclusive";
}

class InstancePlan {
 public:
  InstancePlan(uint64_t seed, uint64_t instance) : base_(mix(seed * 0x10001 + instance)) {}

  Start start_of(int location) const {
    return static_cast<Start>(draw(1 + location) % kStarts);
  }

  // Which of the participants owns an Exclusive location.
  int owner_of(int location, int participants) const {
    return static_cast<int>(draw(3 + location) % static_cast<uint64_t>(participants));
  }

  // When a thread begins, after the instance's common time: at once, or within `reach`. Small and
  // large skews are equally likely, because the windows of a native run are of nanoseconds and
  // those of faults of many microseconds.
  Ticks skew(int thread, Ticks reach) const {
    uint64_t d = draw(100 + thread);
    switch (d % 4) {
      case 0: return 0;
      case 1: return logarithmic(d, reach);
      default: return uniform(d, reach);
    }
  }

  // A pause before the operation-th operation of a thread: mostly none.
  Ticks pause(int thread, int operation, Ticks reach) const {
    uint64_t d = draw(1000 + thread * 16 + operation);
    switch (d % 6) {
      case 0: return uniform(d, reach / 2);
      case 1: case 2: return logarithmic(d, reach / 2);
      default: return 0;
    }
  }

 private:
  static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
  }
  uint64_t draw(int what) const { return mix(base_ + static_cast<uint64_t>(what)); }
  static double fraction(uint64_t d) { return static_cast<double>(d >> 11) * 0x1p-53; }
  static Ticks uniform(uint64_t d, Ticks reach) {
    return static_cast<Ticks>(fraction(d) * static_cast<double>(reach));
  }
  static Ticks logarithmic(uint64_t d, Ticks reach) {
    return static_cast<Ticks>(std::exp(fraction(d) * std::log(static_cast<double>(reach) + 1)));
  }

  uint64_t base_;
};

}  // namespace litmus
