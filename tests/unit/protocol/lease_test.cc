// SPDX-License-Identifier: Apache-2.0
// The minimum hold and the adaptive lease.
#include <gtest/gtest.h>

#include "tests/unit/protocol/small_cluster.h"

namespace dsm::test {
namespace {

const PageNo kPage = page_at(7, 3);
constexpr TimeNs kUs = 1000;

coherence::CacheConfig held(coherence::LeaseMode mode) {
  auto c = SmallCluster::quiet();
  c.hold_ns = 20 * kUs;
  c.lease.mode = mode;
  return c;
}

// Both nodes want the page for writing, over and over; `writes`: the holder's bytes change all the time.
struct Bouncer {
  SmallCluster& c;
  bool writes;
  unsigned moves = 0;
  void run(TimeNs total) {
    c.sample_changes = writes;
    const TimeNs end = c.now + total;
    while (c.now < end) {
      for (unsigned n = 1; n < 3; ++n)
        if (c.memory[n][kPage.value].rights < 2) {
          c.fault(n, kPage, Access::kWrite, 10 + static_cast<int>(n));
          c.settle();
        }
      c.advance(5 * kUs);
    }
    moves = c.count("Data");
  }
};

TEST(Hold, KeepsAFreshPageForTheMinimum) {
  SmallCluster c(3, held(coherence::LeaseMode::kOff));
  ASSERT_TRUE(c.store(1, kPage, 1));
  c.advance(100 * kUs);
  c.fault(2, kPage, Access::kWrite);
  c.settle();
  EXPECT_EQ(c.memory[2][kPage.value].rights, 2u) << "past its hold, it goes at once";
  c.fault(1, kPage, Access::kWrite);
  c.settle();
  EXPECT_EQ(c.memory[2][kPage.value].rights, 2u);
  c.advance(19 * kUs);
  EXPECT_EQ(c.memory[2][kPage.value].rights, 2u);
  c.advance(2 * kUs);
  EXPECT_EQ(c.memory[1][kPage.value].rights, 2u);
  EXPECT_EQ(c.cache[2].counters().holds, 1u);
}

TEST(Hold, ExtendsWhileTheThreadWaitsButNotForEver) {
  SmallCluster c(2, held(coherence::LeaseMode::kOff));
  const PageNo other = page_at(20, 0);
  ASSERT_TRUE(c.store(1, kPage, 1));
  c.native_write(other, 1);
  c.fault(1, other, Access::kWrite);  // and the request stays on its way
  c.fault(0, kPage, Access::kWrite, 9);
  coherence::Actions out;
  c.inject({c.map.host_of(kPage), NodeId{1},
            wire::Fetch{kPage, 1, 0, Access::kWrite, NodeId{0}, TxnId{(uint64_t{1} << 48) + 99}, 1, 0, true}});
  EXPECT_EQ(c.cache[1].state_of(kPage), coherence::PageState::kExclusive);
  const auto due = c.cache[1].next_deadline();
  ASSERT_TRUE(due.has_value());
  EXPECT_GE(*due, c.now + 80 * kUs);
  EXPECT_LE(*due, c.now + 160 * kUs);
}

TEST(Hold, EndsWhenTheThreadBlocks) {
  SmallCluster c(3, held(coherence::LeaseMode::kAuto));
  ASSERT_TRUE(c.store(1, kPage, 1, 5));
  c.fault(2, kPage, Access::kWrite);
  c.settle();
  EXPECT_EQ(c.cache[1].state_of(kPage), coherence::PageState::kExclusive);
  coherence::Actions out;
  c.cache[1].on_thread_blocked(ThreadId{5}, c.now, out);
  EXPECT_EQ(c.cache[1].state_of(kPage), coherence::PageState::kInvalid);
}

TEST(Lease, GrowsWhileThePageBouncesAndIsWritten) {
  SmallCluster off(3, held(coherence::LeaseMode::kOff)), automatic(3, held(coherence::LeaseMode::kAuto));
  Bouncer without{off, true}, with{automatic, true};
  without.run(100'000 * kUs);
  with.run(100'000 * kUs);
  EXPECT_GE(without.moves, 10 * with.moves) << without.moves << " moves without, " << with.moves << " with";
  EXPECT_GT(with.moves, 50u) << "and nobody starves";
}

TEST(Lease, CostsAnIdleHolderNothing) {
  SmallCluster off(3, held(coherence::LeaseMode::kOff)), automatic(3, held(coherence::LeaseMode::kAuto));
  Bouncer without{off, false}, with{automatic, false};
  without.run(10'000 * kUs);
  with.run(10'000 * kUs);
  EXPECT_EQ(without.moves, with.moves);
  EXPECT_EQ(automatic.cache[1].counters().lease_deferrals, 0u);
}

TEST(Lease, LearnsThatAHolderHasStoppedWriting) {
  SmallCluster c(3, held(coherence::LeaseMode::kAuto));
  Bouncer busy{c, true}, idle{c, false};
  busy.run(50'000 * kUs);
  idle.run(5'000 * kUs);
  const uint64_t before = c.cache[1].counters().lease_deferrals + c.cache[2].counters().lease_deferrals;
  idle.run(5'000 * kUs);
  EXPECT_EQ(c.cache[1].counters().lease_deferrals + c.cache[2].counters().lease_deferrals, before);
}

TEST(Lease, FixedKeepsForItsTime) {
  auto config = held(coherence::LeaseMode::kFixed);
  config.lease.fixed_ns = 300 * kUs;
  SmallCluster c(3, config);
  ASSERT_TRUE(c.store(1, kPage, 1));
  c.fault(2, kPage, Access::kWrite);
  c.settle();
  c.advance(295 * kUs);
  EXPECT_EQ(c.memory[2][kPage.value].rights, 0u);
  c.advance(10 * kUs);
  EXPECT_EQ(c.memory[2][kPage.value].rights, 2u);
}

}  // namespace
}  // namespace dsm::test
