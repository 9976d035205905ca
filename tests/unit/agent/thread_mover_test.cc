// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/thread_mover.h"

#include <map>
#include <string>

#include "tests/unit/agent/board_fixture.h"

namespace dsm::agent {
namespace {

constexpr TimeNs kMs = 1'000'000;

class ThreadMoverTest : public BoardFixture {
 protected:
  // What the runtime does with a request.
  void follow(abi::ThreadSlot& slot) {
    if (slot.move_request == 0) return;
    slot.node = abi::request_node(slot.move_request);
    slot.move_request = 0;
  }
  unsigned kicks(int tid) { return kicks_[tid]; }

  std::map<int, unsigned> kicks_;
  std::map<uint64_t, std::string> answers_;
  ThreadMover mover_{3, [this](ThreadId t) { return ++kicks_[t.value], 0; },
                     [this](uint64_t id, const std::string& error) { EXPECT_TRUE(answers_.emplace(id, error).second); }};
};

TEST_F(ThreadMoverTest, OrderIsAnsweredWhenTheThreadIsThere) {
  abi::ThreadSlot& slot = put(0, 100, abi::ThreadState::kRunning, 0);
  mover_.order(1, 100, 2, view_, 0);
  EXPECT_EQ(slot.move_request, abi::move_request(100, 2));
  EXPECT_EQ(kicks(100), 1u);
  mover_.on_time(view_, kMs);
  EXPECT_TRUE(answers_.empty());
  mover_.on_time(view_, 20 * kMs);
  EXPECT_EQ(kicks(100), 2u);   // once more, it has not followed
  follow(slot);
  mover_.on_time(view_, 21 * kMs);
  EXPECT_EQ(answers_.at(1), "");
}

TEST_F(ThreadMoverTest, RefusesWithTheReason) {
  put(0, 100, abi::ThreadState::kRunning, 1);
  mover_.order(1, 100, 3, view_, 0);
  mover_.order(2, 99, 1, view_, 0);
  mover_.order(3, 100, 1, view_, 0);
  mover_.set_drained(2, true, 0);
  mover_.order(4, 100, 2, view_, 0);
  EXPECT_NE(answers_.at(1).find("no node 3"), std::string::npos);
  EXPECT_NE(answers_.at(2).find("thread 99 is not"), std::string::npos);
  EXPECT_EQ(answers_.at(3), "");
  EXPECT_NE(answers_.at(4).find("node 2 is drained"), std::string::npos);
  EXPECT_EQ(kicks(100), 0u);
}

TEST_F(ThreadMoverTest, BlockedThreadIsInterruptedByOrderAndItsRequestStands) {
  abi::ThreadSlot& slot = put(0, 100, abi::ThreadState::kBlocked, 0);
  mover_.order(1, 100, 1, view_, 0);
  for (TimeNs t = 0; t < 5100 * kMs; t += 100 * kMs) mover_.on_time(view_, t);
  EXPECT_GT(kicks(100), 40u);
  EXPECT_NE(answers_.at(1).find("moves when the call ends"), std::string::npos);
  EXPECT_EQ(slot.move_request, abi::move_request(100, 1));   // it stands
}

TEST_F(ThreadMoverTest, EndOfTheThreadAndLaterOrdersAreSaid) {
  abi::ThreadSlot& first = put(0, 100, abi::ThreadState::kWaiting, 0);
  put(1, 101, abi::ThreadState::kRunning, 0);
  mover_.order(1, 100, 1, view_, 0);
  mover_.order(2, 101, 1, view_, 0);
  mover_.order(3, 101, 2, view_, 0);
  first.state = abi::ThreadState::kFree;
  mover_.on_time(view_, kMs);
  EXPECT_NE(answers_.at(1).find("ended before"), std::string::npos);
  EXPECT_NE(answers_.at(2).find("another request"), std::string::npos);
  EXPECT_EQ(answers_.count(3), 0u);
}

TEST_F(ThreadMoverTest, DrainedNodeIsEmptied) {
  std::vector<abi::ThreadSlot*> slots;
  for (uint32_t i = 0; i < 6; ++i) slots.push_back(&put(i, 100 + i, abi::ThreadState::kShadow, i % 3));
  mover_.set_drained(1, true, 0);
  for (TimeNs t = kMs; t < 100 * kMs; t += kMs) {
    mover_.on_time(view_, t);
    for (abi::ThreadSlot* slot : slots) follow(*slot);
  }
  unsigned on[3] = {};
  for (abi::ThreadSlot* slot : slots) ++on[slot->node];
  EXPECT_EQ(on[1], 0u);
  EXPECT_EQ(on[0], 3u);   // evenly
  EXPECT_EQ(on[2], 3u);
}

TEST_F(ThreadMoverTest, ChaosKeepsItsRateAndItsSeed) {
  auto run = [&](uint64_t seed) {
    abi::ThreadSlot& a = put(0, 100, abi::ThreadState::kRunning, 0);
    abi::ThreadSlot& b = put(1, 101, abi::ThreadState::kShadow, 1);
    kicks_.clear();
    std::vector<unsigned> nodes;
    mover_.start_chaos(200, seed, 0);
    for (TimeNs t = 0; t <= 1000 * kMs; t += kMs) {
      mover_.on_time(view_, t);
      follow(a);
      follow(b);
      nodes.push_back(a.node * 3 + b.node);
    }
    EXPECT_NEAR(kicks(100) + kicks(101), 200, 2);
    return nodes;
  };
  auto first = run(7);
  EXPECT_EQ(first, run(7));
  EXPECT_NE(first, run(8));
}

TEST_F(ThreadMoverTest, ChaosLeavesThreadsThatNeverSettleAThirdOfTheRate) {
  std::vector<abi::ThreadSlot*> slots;
  for (uint32_t i = 0; i < 4; ++i) slots.push_back(&put(i, 100 + i, abi::ThreadState::kShadow, i % 2));
  unsigned moves = 0;
  mover_.start_chaos(200, 1, 0);
  for (TimeNs t = 0; t <= 3000 * kMs; t += kMs) {
    mover_.on_time(view_, t);
    for (abi::ThreadSlot* slot : slots) {
      const bool declined = (slot->move_request & abi::kIfSettled) != 0 && slot->migrations != 0;
      if (slot->move_request == 0) continue;
      if (declined) slot->move_request = 0;
      else follow(*slot), ++slot->migrations, ++moves;
    }
  }
  EXPECT_NEAR(moves, 3000 / 15, 20);
}

}  // namespace
}  // namespace dsm::agent
