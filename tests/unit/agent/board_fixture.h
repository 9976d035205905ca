// SPDX-License-Identifier: Apache-2.0
// A thread board as the runtime writes it, and the agent's view of the same memory.
#pragma once
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libdsm/agent/thread_board.h"

namespace dsm::agent {

class BoardFixture : public testing::Test {
 protected:
  BoardFixture() {
    int fd = ::memfd_create("board", MFD_CLOEXEC);
    EXPECT_EQ(::ftruncate(fd, sizeof(abi::Board)), 0);
    memory_ = static_cast<abi::Board*>(::mmap(nullptr, sizeof(abi::Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    view_ = ThreadBoard(os::Fd(fd));
  }
  ~BoardFixture() override { ::munmap(memory_, sizeof(abi::Board)); }

  abi::ThreadSlot& put(uint32_t index, uint32_t tid, abi::ThreadState state, uint32_t node) {
    abi::ThreadSlot& slot = memory_->slot[index];
    slot = {};
    slot.tid = slot.kernel_tid = tid;
    slot.state = state;
    slot.node = node;
    if (memory_->high_water <= index) memory_->high_water = index + 1;
    return slot;
  }

  abi::Board* memory_;
  ThreadBoard view_;
};

}  // namespace dsm::agent
