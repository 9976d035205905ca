// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/protocol/small_cluster.h"

namespace dsm::test {
namespace {

TEST(Extents, UntouchedMemoryCostsOneGrantForTheRestOfTheBlock) {
  SmallCluster c(2);
  for (unsigned i = 0; i < kPagesPerBlock; ++i) ASSERT_TRUE(c.store(1, page_at(9, i), i));
  EXPECT_EQ(c.count("Request"), 1u);
  EXPECT_EQ(c.count("Grant"), 1u);
  uint64_t v = 0;
  ASSERT_TRUE(c.load(0, page_at(9, 100), &v));
  EXPECT_EQ(v, 100u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(Extents, StopAtPagesThatTheOriginHas) {
  SmallCluster c(2);
  c.native_write(page_at(9, 10), 77);
  ASSERT_TRUE(c.store(1, page_at(9, 4), 1));
  EXPECT_EQ(c.cache[1].state_of(page_at(9, 9)), coherence::PageState::kHole);
  EXPECT_EQ(c.cache[1].state_of(page_at(9, 10)), coherence::PageState::kInvalid);
  uint64_t v = 0;
  ASSERT_TRUE(c.load(1, page_at(9, 10), &v));
  EXPECT_EQ(v, 77u);
}

TEST(Extents, SplitOnDemandWithoutData) {
  SmallCluster c(3);
  ASSERT_TRUE(c.store(1, page_at(9, 0), 1));
  c.clear();
  ASSERT_TRUE(c.store(2, page_at(9, 256), 2));
  EXPECT_EQ(c.cache[2].state_of(page_at(9, 257)), coherence::PageState::kHole);
  EXPECT_EQ(c.cache[1].state_of(page_at(9, 255)), coherence::PageState::kHole);
  EXPECT_EQ(c.cache[1].state_of(page_at(9, 257)), coherence::PageState::kInvalid);
  EXPECT_EQ(c.count("Data"), 1u);
  uint64_t v = 1;
  ASSERT_TRUE(c.load(1, page_at(9, 256), &v));
  EXPECT_EQ(v, 2u);
  ASSERT_TRUE(c.load(1, page_at(9, 300), &v));
  EXPECT_EQ(v, 0u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(Extents, ReadOnlyMemoryReadsAsZeroAndStaysReadOnly) {
  SmallCluster c(3);
  c.writable = {};
  uint64_t v = 1;
  ASSERT_TRUE(c.load(1, page_at(9, 0), &v));
  EXPECT_EQ(v, 0u);
  EXPECT_EQ(c.memory[1][page_at(9, 0).value].rights, 1u);
  ASSERT_TRUE(c.load(2, page_at(9, 0), &v));
  EXPECT_EQ(v, 0u);
  EXPECT_FALSE(c.store(2, page_at(9, 0), 4));
}

TEST(Extents, FirstTouchesAreFilledInGrowingBatches) {
  auto config = SmallCluster::quiet();
  config.zero_batch_max = 64;
  SmallCluster c(2, config);
  unsigned faults = 0;
  for (unsigned i = 0; i < 256; ++i) {
    faults += c.memory[1][page_at(9, i).value].rights == 0;
    ASSERT_TRUE(c.store(1, page_at(9, i), i));
  }
  EXPECT_LE(faults, 10u);
}

}  // namespace
}  // namespace dsm::test
