// SPDX-License-Identifier: Apache-2.0
#include "libdsm/stats/histogram.h"

#include <bit>
#include <cmath>

namespace dsm::stats {

unsigned Histogram::bucket_of(uint64_t value) {
  if (value < kSteps) return static_cast<unsigned>(value);
  unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kStepBits;
  return (shift + 1) * kSteps + static_cast<unsigned>((value >> shift) - kSteps);
}

uint64_t Histogram::upper_end(unsigned bucket) {
  if (bucket < kSteps) return bucket;
  unsigned shift = bucket / kSteps - 1;
  return ((uint64_t{kSteps} + bucket % kSteps + 1) << shift) - 1;
}

void Histogram::add(uint64_t value) {
  ++buckets_[bucket_of(value)];
  ++count_;
}

uint64_t Histogram::percentile(double p) const {
  if (count_ == 0) return 0;
  auto rank = static_cast<uint64_t>(std::ceil(p * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (unsigned i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return upper_end(i);
  }
  return upper_end(static_cast<unsigned>(buckets_.size()) - 1);
}

}  // namespace dsm::stats
