// SPDX-License-Identifier: Apache-2.0
// Log-linear histogram of durations: 16 steps to each power of two, so a percentile is exact within 6 %. Fixed size.
#pragma once
#include <array>
#include <cstdint>

namespace dsm::stats {

class Histogram {
 public:
  void add(uint64_t value);
  uint64_t count() const { return count_; }
  // Upper end of the step that holds the p-th part (0 < p <= 1) of the values; 0 without values.
  uint64_t percentile(double p) const;

 private:
  static constexpr unsigned kStepBits = 4;
  static constexpr unsigned kSteps = 1u << kStepBits;
  static unsigned bucket_of(uint64_t value);
  static uint64_t upper_end(unsigned bucket);

  std::array<uint64_t, (64 - kStepBits + 1) * kSteps> buckets_{};
  uint64_t count_ = 0;
};

}  // namespace dsm::stats
