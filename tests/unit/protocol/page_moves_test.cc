// SPDX-License-Identifier: Apache-2.0
// Copies, moves, upgrades, evictions: what each costs in messages, and that content survives.
#include <gtest/gtest.h>

#include "tests/unit/protocol/small_cluster.h"

namespace dsm::test {
namespace {

const PageNo kPage = page_at(7, 3);

TEST(PageMoves, NativeContentReachesReaders) {
  SmallCluster c(3);
  c.native_write(kPage, 42);
  uint64_t v = 0;
  ASSERT_TRUE(c.load(1, kPage, &v));
  EXPECT_EQ(v, 42u);
  ASSERT_TRUE(c.load(2, kPage, &v));
  EXPECT_EQ(v, 42u);
  EXPECT_EQ(c.view(kPage).state, pagedir::DirState::kShared);
  EXPECT_EQ(c.view(kPage).holders.size(), 3u);
  EXPECT_EQ(c.memory[0][kPage.value].rights, 1u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(PageMoves, ReadMissIsFourMessages) {
  SmallCluster c(3);
  c.native_write(kPage, 1);
  ASSERT_TRUE(c.store(1, kPage, 2));
  c.clear();
  ASSERT_TRUE(c.load(2, kPage));
  EXPECT_EQ(c.log.size(), 4u);  // Request, Fetch, Data, Done
}

TEST(PageMoves, WriteMovesAndReleases) {
  SmallCluster c(3);
  ASSERT_TRUE(c.store(1, kPage, 10));
  ASSERT_TRUE(c.store(2, kPage, 11));
  EXPECT_EQ(c.cache[1].state_of(kPage), coherence::PageState::kInvalid);
  EXPECT_FALSE(c.cache[1].holds_sent(kPage));
  EXPECT_TRUE(c.sent[1].empty());
  uint64_t v = 0;
  ASSERT_TRUE(c.load(0, kPage, &v));
  EXPECT_EQ(v, 11u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(PageMoves, UpgradeInvalidatesTheOthersAndMovesNoData) {
  SmallCluster c(4);
  c.native_write(kPage, 5);
  for (unsigned n = 1; n < 4; ++n) ASSERT_TRUE(c.load(n, kPage));
  c.clear();
  ASSERT_TRUE(c.store(1, kPage, 6));
  EXPECT_EQ(c.count("Invalidate"), 3u);
  EXPECT_EQ(c.count("Grant"), 1u);
  EXPECT_EQ(c.count("Data"), 0u);
  EXPECT_EQ(c.view(kPage).holders.size(), 1u);
  EXPECT_EQ(c.memory[2].count(kPage.value), 0u);
}

TEST(PageMoves, WriterWithoutCopyNeedsDataAndGrant) {
  SmallCluster c(4);
  c.native_write(kPage, 5);
  ASSERT_TRUE(c.load(1, kPage));
  ASSERT_TRUE(c.load(2, kPage));
  c.clear();
  ASSERT_TRUE(c.store(3, kPage, 7));
  EXPECT_EQ(c.count("Data"), 1u);
  EXPECT_EQ(c.count("Grant"), 1u);
  EXPECT_EQ(c.count("Invalidate"), 2u);
  uint64_t v = 0;
  ASSERT_TRUE(c.load(0, kPage, &v));
  EXPECT_EQ(v, 7u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(PageMoves, SoleSharerIsUpgradedAtOnce) {
  SmallCluster c(2);
  c.native_write(kPage, 5);
  ASSERT_TRUE(c.load(1, kPage));
  coherence::Actions none;
  // Evicting the origin's copy leaves node 1 alone.
  c.inject({NodeId{0}, c.map.host_of(kPage), wire::Evict{kPage, NodeId{1}, 0}});
  c.settle();
  EXPECT_EQ(c.view(kPage).holders.size(), 1u);
  c.clear();
  ASSERT_TRUE(c.store(1, kPage, 6));
  EXPECT_EQ(c.log.size(), 3u);  // Request, Grant, Done
}

TEST(PageMoves, LastCopyMovesToItsEvictionTarget) {
  SmallCluster c(3);
  ASSERT_TRUE(c.store(1, kPage, 33));
  c.inject({NodeId{1}, c.map.host_of(kPage), wire::Evict{kPage, NodeId{2}, 0}});
  c.settle();
  EXPECT_EQ(c.cache[1].state_of(kPage), coherence::PageState::kInvalid);
  EXPECT_EQ(c.cache[2].state_of(kPage), coherence::PageState::kExclusive);
  c.clear();
  uint64_t v = 0;
  ASSERT_TRUE(c.load(2, kPage, &v));
  EXPECT_EQ(v, 33u);
  EXPECT_TRUE(c.log.empty());  // owned there, only the mapping was missing
}

TEST(PageMoves, LastReadOnlyCopySurvivesEviction) {
  SmallCluster c(3);
  c.writable = {};
  c.native_write(kPage, 9);
  ASSERT_TRUE(c.load(1, kPage));
  c.inject({NodeId{0}, c.map.host_of(kPage), wire::Evict{kPage, NodeId{2}, 0}});
  c.settle();
  c.inject({NodeId{1}, c.map.host_of(kPage), wire::Evict{kPage, NodeId{2}, 0}});
  c.settle();
  EXPECT_EQ(c.cache[1].state_of(kPage), coherence::PageState::kInvalid);
  EXPECT_EQ(c.cache[2].state_of(kPage), coherence::PageState::kShared);
  uint64_t v = 0;
  ASSERT_TRUE(c.load(2, kPage, &v));
  EXPECT_EQ(v, 9u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(PageMoves, FollowersJoinTheFaultInFlight) {
  SmallCluster c(2);
  c.native_write(kPage, 1);
  c.fault(1, kPage, Access::kRead, 1);
  c.fault(1, kPage, Access::kRead, 2);
  c.settle();
  EXPECT_EQ(c.count("Request"), 1u);
  EXPECT_EQ(c.cache[1].counters().follower_joins, 1u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(PageMoves, WaitersAreServedInOrder) {
  SmallCluster c(4);
  c.native_write(kPage, 1);
  ASSERT_TRUE(c.store(1, kPage, 2));
  for (unsigned n = 2; n < 4; ++n) c.fault(n, kPage, Access::kWrite);
  c.fault(0, kPage, Access::kRead);
  c.settle();
  uint64_t v = 0;
  ASSERT_TRUE(c.load(3, kPage, &v));
  EXPECT_EQ(v, 2u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(PageMoves, RefusalNamesTheReason) {
  SmallCluster c(2);
  c.writable.clear(kPage.index());
  c.native_write(kPage, 1);
  EXPECT_TRUE(c.load(1, kPage));
  EXPECT_FALSE(c.store(1, kPage, 2));
  ASSERT_EQ(c.refused.size(), 1u);
  EXPECT_EQ(c.refused[0], wire::RefuseReason::kProtection);
  c.pinned.set(5);
  EXPECT_FALSE(c.load(1, page_at(8, 5)));
  EXPECT_EQ(c.refused[1], wire::RefuseReason::kPinned);
  EXPECT_TRUE(c.quiet_now());
}

}  // namespace
}  // namespace dsm::test
