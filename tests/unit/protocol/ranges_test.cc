// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/protocol/small_cluster.h"

namespace dsm::test {
namespace {

const PageNo kPage = page_at(7, 3);

TEST(Ranges, NativeDropIsLocal) {
  SmallCluster c(3);
  c.native_write(kPage, 4);
  c.drop({kPage, 1}, wire::RangeOp::kDrop);
  EXPECT_EQ(c.finished.size(), 1u);
  EXPECT_TRUE(c.log.empty());
}

TEST(Ranges, DropEndsContentEverywhere) {
  SmallCluster c(3);
  c.native_write(kPage, 4);
  ASSERT_TRUE(c.load(1, kPage));
  ASSERT_TRUE(c.store(2, kPage + 1, 9));
  c.drop({kPage, 8}, wire::RangeOp::kDrop);
  ASSERT_EQ(c.finished.size(), 1u);
  for (unsigned n = 0; n < 3; ++n)
    for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(c.cache[n].state_of(kPage + i), coherence::PageState::kInvalid);
  EXPECT_EQ(c.view(kPage).state, pagedir::DirState::kUntouched);
  uint64_t v = 1;
  ASSERT_TRUE(c.load(1, kPage, &v));
  EXPECT_EQ(v, 0u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(Ranges, RequestsInTheRangeWaitForItsEnd) {
  SmallCluster c(2);
  ASSERT_TRUE(c.store(1, kPage, 4));
  coherence::Actions out;
  c.inject({NodeId{0}, c.map.host_of(kPage), wire::RangeQuiesce{RangeId{99}, {kPage, 1}, 1, wire::RangeOp::kDrop}});
  c.fault(0, kPage, Access::kWrite);
  c.settle();
  EXPECT_EQ(c.view(kPage).waiters, 1u);
  EXPECT_EQ(c.count("Fetch"), 0u);
  c.errors.clear();
  c.inject({NodeId{0}, c.map.host_of(kPage), wire::RangeResume{RangeId{99}, wire::RangeOp::kRecallShared}});
  c.settle();
  EXPECT_EQ(c.view(kPage).waiters, 0u);
}

TEST(Ranges, RecallSharedBringsTheBytesHome) {
  SmallCluster c(3);
  for (unsigned i = 0; i < 100; ++i) ASSERT_TRUE(c.store(1 + i % 2, kPage + i, i));
  c.drop({page_at(0, 0), 1u << 20}, wire::RangeOp::kRecallShared);
  for (unsigned i = 0; i < 100; ++i) {
    EXPECT_EQ(c.memory[0][(kPage + i).value].content, i);
    EXPECT_LE(c.memory[1 + i % 2][(kPage + i).value].rights, 1u);
  }
  EXPECT_TRUE(c.quiet_now());
}

TEST(Ranges, RecallExclusiveLeavesNobodyElse) {
  SmallCluster c(3);
  c.native_write(kPage, 8);
  ASSERT_TRUE(c.load(1, kPage));
  ASSERT_TRUE(c.load(2, kPage));
  ASSERT_TRUE(c.store(1, kPage + 1, 5));
  c.native_write(kPage + 2, 6);
  c.drop({kPage, 4}, wire::RangeOp::kRecallExclusive);
  for (unsigned n = 1; n < 3; ++n)
    for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(c.cache[n].state_of(kPage + i), coherence::PageState::kInvalid) << n << " " << i;
  EXPECT_EQ(c.memory[0][kPage.value].content, 8u);
  EXPECT_EQ(c.memory[0][(kPage + 1).value].content, 5u);
  EXPECT_TRUE(c.quiet_now());
}

TEST(Ranges, ProtectionIsAskedAgainAfterARange) {
  SmallCluster c(2);
  ASSERT_TRUE(c.store(1, kPage, 4));
  c.writable = {};
  c.drop({kPage, 1}, wire::RangeOp::kRecallExclusive);
  uint64_t v = 0;
  ASSERT_TRUE(c.load(1, kPage, &v));
  EXPECT_EQ(v, 4u);
  EXPECT_FALSE(c.store(1, kPage, 5));
}

TEST(Ranges, OneAfterTheOther) {
  SmallCluster c(2);
  ASSERT_TRUE(c.store(1, kPage, 4));
  coherence::Actions out;
  c.cache[0].drop_range(RangeId{50}, {kPage, 1}, wire::RangeOp::kRecallShared, c.now, out);
  c.cache[0].drop_range(RangeId{51}, {kPage, 1}, wire::RangeOp::kDrop, c.now, out);
  unsigned quiesces = 0;
  for (const auto& a : out)
    if (auto* s = std::get_if<coherence::Send>(&a)) quiesces += std::holds_alternative<wire::RangeQuiesce>(s->message);
  EXPECT_EQ(quiesces, 1u);
}

}  // namespace
}  // namespace dsm::test
