// SPDX-License-Identifier: Apache-2.0
#include "libdsm/memory/frame_budget.h"

#include <gtest/gtest.h>

namespace dsm::memory {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(FrameBudget, WithoutALimitNothingEverGoes) {
  FrameBudget budget(0, NodeId{0}, 4);
  budget.set_used(1ull << 40);
  EXPECT_FALSE(budget.full());
  EXPECT_EQ(budget.pages_to_free(0), 0u);
}

TEST(FrameBudget, EvictsFromTheHighMarkDownToTheLowOne) {
  FrameBudget budget(64 * kMiB, NodeId{0}, 2);
  budget.set_used(budget.high_mark() - 1);
  EXPECT_EQ(budget.pages_to_free(0), 0u);
  budget.set_used(budget.high_mark());
  EXPECT_EQ(budget.pages_to_free(0), kMiB / kPageBytes);
  EXPECT_EQ(budget.pages_to_free(100), kMiB / kPageBytes - 100);
  EXPECT_EQ(budget.pages_to_free(100'000), 0u);
  budget.set_used(budget.low_mark() + 1);
  EXPECT_EQ(budget.pages_to_free(0), 1u);   // the way down goes on below the high mark
  budget.set_used(budget.low_mark());
  EXPECT_EQ(budget.pages_to_free(0), 0u);
  budget.set_used(budget.high_mark() - 1);
  EXPECT_EQ(budget.pages_to_free(0), 0u);
  EXPECT_FALSE(budget.full());
  budget.set_used(64 * kMiB);
  EXPECT_TRUE(budget.full());
}

TEST(FrameBudget, OffersOnlyWhatNeverMakesItEvict) {
  FrameBudget budget(64 * kMiB, NodeId{0}, 2);
  budget.set_used(10 * kMiB);
  EXPECT_EQ(budget.room(), budget.high_mark() - 10 * kMiB);
  budget.set_used(63 * kMiB);
  EXPECT_EQ(budget.room(), 0u);
}

TEST(FrameBudget, SendsToTheNodeWithTheMostRoomAndNeverToItself) {
  FrameBudget budget(64 * kMiB, NodeId{1}, 4);
  EXPECT_FALSE(budget.take_room());
  budget.set_room_of(NodeId{1}, 100 * kMiB);
  EXPECT_FALSE(budget.others_have_room());
  budget.set_room_of(NodeId{0}, 3 * 2 * kPageBytes);   // three nodes may send to it: a third is ours
  budget.set_room_of(NodeId{3}, 3 * 3 * kPageBytes);
  std::vector<int> taken(4);
  while (auto to = budget.take_room()) taken[to->value]++;
  EXPECT_EQ(taken, (std::vector<int>{2, 0, 0, 3}));
  EXPECT_FALSE(budget.others_have_room());
  budget.set_room_of(NodeId{7}, kMiB);   // no such node
  EXPECT_FALSE(budget.take_room());
}

TEST(FrameBudget, TakesCopiesFirstThenEverythingThatWasNotTouched) {
  FrameBudget budget(64 * kMiB, NodeId{0}, 2);
  budget.set_used(budget.high_mark());
  budget.touched(PageNo{5});
  EXPECT_TRUE(budget.takes(PageNo{4}, FrameKind::kCopy));
  EXPECT_EQ(budget.target(), NodeId{0});   // dropped if it is not the last, else nothing
  EXPECT_FALSE(budget.takes(PageNo{4}, FrameKind::kOwned));
  EXPECT_FALSE(budget.takes(PageNo{5}, FrameKind::kCopy));   // spared once
  EXPECT_TRUE(budget.takes(PageNo{5}, FrameKind::kCopy));
  budget.wrapped();
  EXPECT_EQ(budget.target(), std::nullopt);
  budget.set_room_of(NodeId{1}, kMiB);
  EXPECT_EQ(budget.target(), NodeId{1});
  EXPECT_TRUE(budget.takes(PageNo{4}, FrameKind::kOwned));
  EXPECT_FALSE(budget.takes(PageNo{4}, FrameKind::kKept));
  budget.set_used(budget.low_mark());   // done; the next time begins with copies again
  budget.set_used(budget.high_mark());
  EXPECT_FALSE(budget.takes(PageNo{4}, FrameKind::kOwned));
}

}  // namespace
}  // namespace dsm::memory
