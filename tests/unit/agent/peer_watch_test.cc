// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/peer_watch.h"

#include <gtest/gtest.h>

#include "libdsm/agent/blocked_threads.h"
#include "libdsm/agent/payload_pool.h"
#include "libdsm/agent/poll_policy.h"

namespace dsm::agent {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

class PeerWatchTest : public testing::Test {
 protected:
  PeerWatchTest() : watch_(3, {kSecond / 2, 5 * kSecond}) {
    watch_.up(NodeId{1}, 0);
    watch_.up(NodeId{2}, 0);
  }
  // Checks every half second until `end`; node 2 is heard at each.
  std::vector<NodeId> run(TimeNs begin, TimeNs end) {
    std::vector<NodeId> dead;
    for (TimeNs now = begin; now <= end; now += kSecond / 2) {
      watch_.heard(NodeId{2}, now);
      auto verdict = watch_.check(now);
      EXPECT_TRUE(verdict.send_heartbeats);
      dead.insert(dead.end(), verdict.dead.begin(), verdict.dead.end());
    }
    return dead;
  }
  PeerWatch watch_;
};

TEST_F(PeerWatchTest, TwoSecondsOfSilenceAreNoDeath) { EXPECT_TRUE(run(kSecond, 3 * kSecond).empty()); }

TEST_F(PeerWatchTest, LongSilenceIsDeathOnce) {
  std::vector<NodeId> dead = run(kSecond, 12 * kSecond);
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0], NodeId{1});
  EXPECT_EQ(watch_.count_up(), 1u);
}

TEST_F(PeerWatchTest, OurOwnPauseIsNotHeldAgainstPeers) {
  EXPECT_TRUE(run(kSecond, kSecond).empty());
  auto verdict = watch_.check(60 * kSecond);  // stopped for a minute
  EXPECT_TRUE(verdict.dead.empty());
  EXPECT_EQ(watch_.count_up(), 2u);
}

TEST_F(PeerWatchTest, NotBeforeTheNextBeat) {
  EXPECT_TRUE(watch_.check(kSecond).send_heartbeats);
  EXPECT_FALSE(watch_.check(kSecond + 1).send_heartbeats);
}

TEST(PollPolicyTest, SpinsOnlyWhileItPays) {
  PollPolicy policy(PollMode::kAuto);
  policy.progressed(1000);
  EXPECT_FALSE(policy.spins(true, 1000));  // share unknown
  policy.set_host_share(2, 4);
  EXPECT_TRUE(policy.spins(true, 1000 + 49'000));
  EXPECT_FALSE(policy.spins(true, 1000 + 51'000));
  EXPECT_FALSE(policy.spins(false, 1000));
  policy.set_host_share(3, 4);
  EXPECT_FALSE(policy.spins(true, 1000));
  PollPolicy always(PollMode::kAlways);
  always.progressed(1000);
  EXPECT_TRUE(always.spins(true, 1u << 30));
  EXPECT_TRUE(always.spins(false, 1000 + 900'000));
  EXPECT_FALSE(always.spins(false, 1000 + 1'100'000));
  EXPECT_FALSE(PollPolicy(PollMode::kNever).spins(true, 0));
}

TEST(BlockedThreadsTest, ReportsOnce) {
  BlockedThreads threads;
  threads.faulted(ThreadId{7});
  threads.faulted(ThreadId{7});
  threads.faulted(ThreadId{8});
  std::vector<int> reported;
  auto report = [&](ThreadId t) { reported.push_back(t.value); };
  threads.check([](ThreadId) { return true; }, report);
  EXPECT_TRUE(reported.empty());
  threads.check([](ThreadId t) { return t.value == 8; }, report);
  threads.check([](ThreadId t) { return t.value == 8; }, report);
  EXPECT_EQ(reported, std::vector<int>{7});
}

TEST(PayloadPoolTest, ReusesWhatCameBack) {
  PayloadPool pool;
  auto a = pool.take(4096), b = pool.take(300'000);
  EXPECT_NE(a.id, b.id);
  EXPECT_EQ(b.bytes.size(), 300'000u);
  pool.give_back(a.id);
  EXPECT_EQ(pool.take(8192).id, a.id);
}

}  // namespace
}  // namespace dsm::agent
