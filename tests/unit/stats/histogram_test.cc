// SPDX-License-Identifier: Apache-2.0
#include "libdsm/stats/histogram.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <vector>

#include "libdsm/stats/fault_latency.h"

namespace dsm::stats {
namespace {

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram h;
  EXPECT_EQ(h.percentile(0.5), 0u);
  for (uint64_t v = 1; v <= 10; ++v) h.add(v);
  EXPECT_EQ(h.percentile(0.5), 5u);
  EXPECT_EQ(h.percentile(1.0), 10u);
}

TEST(HistogramTest, PercentilesAreWithinAStep) {
  std::mt19937_64 random(3);
  std::vector<uint64_t> values;
  Histogram h;
  for (int i = 0; i < 50000; ++i) {
    uint64_t v = random() >> (random() % 60);
    values.push_back(v);
    h.add(v);
  }
  std::sort(values.begin(), values.end());
  for (double p : {0.01, 0.1, 0.5, 0.9, 0.99, 0.999}) {
    auto exact = static_cast<double>(values[static_cast<size_t>(std::ceil(p * 50000)) - 1]);
    auto got = static_cast<double>(h.percentile(p));
    EXPECT_GE(got, exact) << p;
    EXPECT_LE(got, exact * 1.0626 + 1) << p;
  }
}

TEST(FaultLatencyTest, TimesEachPageOnce) {
  FaultLatency latency;
  latency.begin(PageNo{5}, 1000);
  latency.begin(PageNo{5}, 1500);
  latency.begin(PageNo{9}, 1000);
  latency.begin(PageNo{20}, 1000);
  EXPECT_EQ(latency.waiting_count(), 3u);
  latency.served(PageNo{4}, 6, 1010);
  EXPECT_EQ(latency.histogram().count(), 2u);
  EXPECT_EQ(latency.histogram().percentile(1), 10u);
  latency.refused(PageNo{20});
  EXPECT_FALSE(latency.waiting());
  EXPECT_EQ(latency.histogram().count(), 2u);
}

}  // namespace
}  // namespace dsm::stats
