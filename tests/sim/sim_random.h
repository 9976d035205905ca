// SPDX-License-Identifier: Apache-2.0
// The only source of chance in a schedule: everything that a run does follows from its seed.
#pragma once
#include <cstdint>

namespace dsm::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed ^ 0x6a09e667f3bcc909u) {}
  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
  // In [0, n); n > 0.
  uint64_t below(uint64_t n) { return next() % n; }
  // In [low, high].
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  bool percent(unsigned p) { return below(100) < p; }
  // Each power of two between low and high is as likely as the next, so that long delays are ordinary.
  uint64_t log_uniform(uint64_t low, uint64_t high) {
    unsigned bits = 0;
    while ((low << bits) < high) ++bits;
    const uint64_t base = low << below(bits + 1);
    const uint64_t value = base + below(base + 1);
    return value < high ? value : high;
  }

 private:
  uint64_t state_;
};

}  // namespace dsm::sim
