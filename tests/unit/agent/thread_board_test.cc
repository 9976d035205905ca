// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/thread_board.h"

#include <sys/mman.h>

#include "tests/unit/agent/board_fixture.h"

namespace dsm::agent {
namespace {

class ThreadBoardTest : public BoardFixture {};

TEST_F(ThreadBoardTest, ListsEachThreadWhereItRuns) {
  put(0, 100, abi::ThreadState::kRunning, 0);
  put(1, 101, abi::ThreadState::kShadow, 1);
  put(2, 102, abi::ThreadState::kFree, 0);
  put(3, 103, abi::ThreadState::kFree, 1);
  put(5, 105, abi::ThreadState::kBlocked, 0);
  put(6, 106, abi::ThreadState::kBlocked, 1);   // a shadow in a call
  memory_->ended[0].tid = 90;
  memory_->ended_ever = 1;
  std::vector<stats::ThreadStats> threads;
  view_.list(NodeId{0}, threads);
  ASSERT_EQ(threads.size(), 3u);
  EXPECT_EQ(threads[0].state, "running");
  EXPECT_EQ(threads[1].state, "blocked");
  EXPECT_EQ(threads[2].tid, 90);
  EXPECT_EQ(threads[2].state, "ended");
  EXPECT_EQ(view_.threads_here(NodeId{0}), 2u);
}

TEST_F(ThreadBoardTest, KnowsWhoRuns) {
  put(0, 100, abi::ThreadState::kRunning, 0);
  put(1, 101, abi::ThreadState::kBlocked, 0);
  EXPECT_TRUE(view_.running(ThreadId{100}));
  EXPECT_FALSE(view_.running(ThreadId{101}));
  EXPECT_TRUE(view_.running(ThreadId{999}));  // no slot
}

TEST_F(ThreadBoardTest, LyingHighWaterReadsNothingOutside) {
  memory_->high_water = 0xffffffff;
  memory_->ended_ever = 0;
  std::vector<stats::ThreadStats> threads;
  view_.list(NodeId{0}, threads);
  EXPECT_TRUE(threads.empty());
}

TEST_F(ThreadBoardTest, TooShortAFileIsNoBoard) {
  ThreadBoard none{os::Fd(::memfd_create("short", MFD_CLOEXEC))};
  EXPECT_EQ(none.threads_here(NodeId{0}), 0u);
  EXPECT_EQ(none.threads_run(NodeId{0}), 0u);
}

}  // namespace
}  // namespace dsm::agent
