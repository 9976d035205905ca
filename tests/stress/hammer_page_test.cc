// SPDX-License-Identifier: Apache-2.0
// The page hammer must notice what it is there for: each kind of damage, done by hand.
#include <gtest/gtest.h>

#include <memory>

#include "hammer_page.h"

namespace hammer {
namespace {

constexpr size_t kPageNumber = 5;
constexpr unsigned kMe = 3;

class HammerPage : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 4; i++) {
      ASSERT_EQ(nullptr, write_own(page(), kPageNumber, kMe, remembered_).what);
      bool updated = false;
      ASSERT_EQ(nullptr, update_block(page(), updated).what);
      ASSERT_TRUE(updated);
    }
  }
  Page& page() { return (*pages_)[0]; }

  std::unique_ptr<Page[]> storage_ = std::make_unique<Page[]>(2);
  Page (*pages_)[2] = reinterpret_cast<Page(*)[2]>(storage_.get());
  uint64_t remembered_ = 0;
};

TEST_F(HammerPage, UndamagedIsAccepted) {
  EXPECT_EQ(nullptr, read_other(page(), kPageNumber, kMe).what);
  EXPECT_EQ(nullptr, read_other(page(), kPageNumber, kMe + 1).what);
  EXPECT_EQ(4u, remembered_);
}

TEST_F(HammerPage, LostOwnWriteIsNoticed) {
  page().count[kMe].store(3);
  EXPECT_NE(nullptr, write_own(page(), kPageNumber, kMe, remembered_).what);
}

TEST_F(HammerPage, CountOlderThanItsSealIsNoticed) {
  page().count[kMe].store(3);
  EXPECT_NE(nullptr, read_other(page(), kPageNumber, kMe).what);
}

TEST_F(HammerPage, TornSealIsNoticed) {
  page().seal[kMe].store(page().seal[kMe].load() ^ 0x10000);
  EXPECT_NE(nullptr, read_other(page(), kPageNumber, kMe).what);
}

TEST_F(HammerPage, SealOfAnotherPageIsNoticed) {
  EXPECT_NE(nullptr, read_other(page(), kPageNumber + 1, kMe).what);
}

TEST_F(HammerPage, OldWordInTheBlockIsNoticed) {
  page().block[77] = 3;
  bool updated = false;
  EXPECT_NE(nullptr, update_block(page(), updated).what);
  EXPECT_FALSE(updated);
}

TEST_F(HammerPage, OldHalfBehindThePageIsNoticed) {
  for (int i = 0; i < 4; i++) (*pages_)[1].straddle_tail[i] = 9;
  bool updated = false;
  EXPECT_NE(nullptr, update_block(page(), updated).what);
}

TEST_F(HammerPage, HeldLockIsNotWaitedFor) {
  page().lock.store(1);
  page().block[77] = 3;
  bool updated = true;
  EXPECT_EQ(nullptr, update_block(page(), updated).what);
  EXPECT_FALSE(updated);
}

}  // namespace
}  // namespace hammer
