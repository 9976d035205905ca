// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/thread_board.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace dsm::agent {
namespace {

class ThreadBoardTest : public testing::Test {
 protected:
  ThreadBoardTest() {
    int fd = ::memfd_create("board", MFD_CLOEXEC);
    EXPECT_EQ(::ftruncate(fd, sizeof(abi::Board)), 0);
    board_ = static_cast<abi::Board*>(::mmap(nullptr, sizeof(abi::Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    view_ = ThreadBoard(os::Fd(fd));
  }
  ~ThreadBoardTest() override { ::munmap(board_, sizeof(abi::Board)); }
  void put(uint32_t index, uint32_t tid, abi::ThreadState state, uint32_t node) {
    abi::ThreadSlot& slot = board_->slot[index];
    slot.tid = slot.kernel_tid = tid;
    slot.state = state;
    slot.node = node;
    if (board_->high_water <= index) board_->high_water = index + 1;
  }
  abi::Board* board_;
  ThreadBoard view_;
};

TEST_F(ThreadBoardTest, ListsEachThreadWhereItRuns) {
  put(0, 100, abi::ThreadState::kRunning, 0);
  put(1, 101, abi::ThreadState::kShadow, 1);
  put(2, 102, abi::ThreadState::kFree, 0);
  put(3, 103, abi::ThreadState::kFree, 1);
  put(5, 105, abi::ThreadState::kBlocked, 0);
  put(6, 106, abi::ThreadState::kBlocked, 1);   // a shadow in a call
  board_->ended[0].tid = 90;
  board_->ended_ever = 1;
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
  board_->high_water = 0xffffffff;
  board_->ended_ever = 0;
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
