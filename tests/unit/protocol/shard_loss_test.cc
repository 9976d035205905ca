// SPDX-License-Identifier: Apache-2.0
// A lost shard is rebuilt from what the caches hold, whatever was under way.
#include <gtest/gtest.h>

#include "tests/unit/protocol/small_cluster.h"

namespace dsm::test {
namespace {

const PageNo kPage = page_at(7, 3);

TEST(ShardLoss, StableStatesComeBack) {
  SmallCluster c(3);
  c.native_write(kPage, 4);
  ASSERT_TRUE(c.load(1, kPage));
  ASSERT_TRUE(c.store(2, kPage + 1, 5));
  c.lose_shard(kPage, 1);
  c.settle();
  EXPECT_EQ(c.view(kPage).state, pagedir::DirState::kShared);
  EXPECT_EQ(c.view(kPage).holders.size(), 2u);
  EXPECT_EQ(c.view(kPage + 1).state, pagedir::DirState::kExclusive);
  EXPECT_TRUE(c.view(kPage + 1).holders.contains(NodeId{2}));
  uint64_t v = 0;
  ASSERT_TRUE(c.load(1, kPage + 1, &v));
  EXPECT_EQ(v, 5u);
  EXPECT_TRUE(c.quiet_now());
}

// The shard is lost after each possible number of deliveries of one write move.
TEST(ShardLoss, AtAnyMomentOfAMove) {
  for (int steps = 0; steps < 12; ++steps) {
    SmallCluster c(3);
    ASSERT_TRUE(c.store(1, kPage, 21));
    ASSERT_TRUE(c.load(0, kPage));
    c.fault(2, kPage, Access::kWrite);
    for (int i = 0; i < steps; ++i) c.step();
    c.lose_shard(kPage, 2);
    c.settle();
    uint64_t v = 0;
    ASSERT_TRUE(c.load(2, kPage, &v)) << "after " << steps;
    EXPECT_EQ(v, 21u) << "after " << steps;
    ASSERT_TRUE(c.store(0, kPage, 22));
    ASSERT_TRUE(c.load(1, kPage, &v));
    EXPECT_EQ(v, 22u);
    EXPECT_TRUE(c.quiet_now()) << "after " << steps << (c.errors.empty() ? "" : c.errors[0]);
    for (unsigned n = 0; n < 3; ++n) EXPECT_TRUE(c.sent[n].empty());
  }
}

TEST(ShardLoss, AtAnyMomentOfADrop) {
  for (int steps = 0; steps < 12; ++steps) {
    SmallCluster c(3);
    ASSERT_TRUE(c.store(1, kPage, 21));
    ASSERT_TRUE(c.load(2, kPage));
    coherence::Actions out;
    const size_t before = c.finished.size();
    c.drop({page_at(90, 0), 1}, wire::RangeOp::kDrop);  // local, for the id
    ASSERT_EQ(c.finished.size(), before + 1);
    c.drop({kPage, 1}, wire::RangeOp::kDrop);
    c.fault(2, kPage, Access::kRead);
    for (int i = 0; i < steps; ++i) c.step();
    c.lose_shard(kPage, 2);
    c.settle();
    uint64_t v = 1;
    ASSERT_TRUE(c.load(1, kPage, &v)) << steps;
    EXPECT_EQ(v, 0u);
    EXPECT_TRUE(c.quiet_now()) << steps;
  }
}

}  // namespace
}  // namespace dsm::test
