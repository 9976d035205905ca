// SPDX-License-Identifier: Apache-2.0
// The kernel behaviour that the fault path relies on, seen through os::Uffd and os::Memfd.
#include "libdsm/os/uffd.h"

#include <atomic>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <thread>

#include "libdsm/os/clock.h"
#include "libdsm/os/kernel_features.h"
#include "libdsm/os/memfd.h"

namespace dsm::os {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPages = 64;

class UffdTest : public testing::Test {
 protected:
  void SetUp() override {
    features_ = probe_kernel();
    if (!features_.sufficient()) GTEST_SKIP() << "userfaultfd is not open to this user";
    uint64_t bits;
    int error;
    uffd_ = Uffd(open_own_uffd(&bits, &error), features_.continue_wp);
    memfd_ = Memfd::create("uffd-test", kPages * kPage);
    at_ = static_cast<char*>(::mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_.fd(), 0));
    ASSERT_NE(at_, MAP_FAILED);
  }
  void TearDown() override {
    if (at_ != nullptr) ::munmap(at_, kPages * kPage);
  }
  uint64_t address(uint64_t page) const { return reinterpret_cast<uint64_t>(at_) + page * kPage; }
  void track(Uffd::Mode mode) { ASSERT_EQ(uffd_.register_range(address(0), kPages * kPage, mode), 0); }
  void put(uint64_t page, char value) {
    std::vector<std::byte> bytes(kPage, static_cast<std::byte>(value));
    ASSERT_EQ(memfd_.write(page * kPage, bytes), 0);
  }
  // Runs `access` in a thread; the fault that it must raise is handed to `serve`. False if none comes in time.
  bool fault(const std::function<void()>& access, const std::function<void(const FaultEvent&)>& serve) {
    std::thread thread(access);
    TimeNs deadline = now_ns() + 2'000'000'000;
    FaultEvent event{};
    int n = 0;
    while ((n = uffd_.read_events({&event, 1})) == 0 && now_ns() < deadline) std::this_thread::yield();
    if (n == 1) serve(event);
    if (n != 1) uffd_.unregister_range(address(0), kPages * kPage);  // lets the thread go
    thread.join();
    return n == 1;
  }

  KernelFeatures features_;
  Uffd uffd_;
  Memfd memfd_;
  char* at_ = nullptr;
};

TEST_F(UffdTest, NativeRangeFillsHolesWithoutAnEvent) {
  track(Uffd::Mode::kNative);
  at_[3 * kPage] = 1;
  FaultEvent event;
  EXPECT_EQ(uffd_.read_events({&event, 1}), 0);
  EXPECT_EQ(memfd_.next_data(0), static_cast<int64_t>(3 * kPage));
}

TEST_F(UffdTest, TrackedHoleIsAnEventAlsoAfterNative) {
  track(Uffd::Mode::kNative);
  track(Uffd::Mode::kTracked);
  std::atomic<int> seen = -1;
  EXPECT_TRUE(fault([&] { seen = at_[5 * kPage + 9]; },
                    [&](const FaultEvent& e) {
                      EXPECT_EQ(e.address, address(5) + 9);
                      EXPECT_FALSE(e.write);
                      uint64_t done;
                      EXPECT_EQ(uffd_.zero_fill(address(5), kPage, &done), 0);
                    }));
  EXPECT_EQ(seen, 0);
}

TEST_F(UffdTest, PunchedPageFaultsAgainAndMapBringsContent) {
  track(Uffd::Mode::kTracked);
  put(2, 'a');
  uint64_t done;
  ASSERT_EQ(uffd_.map(address(2), kPage, false, &done), 0);
  EXPECT_EQ(at_[2 * kPage], 'a');
  ASSERT_EQ(memfd_.punch(2 * kPage, kPage), 0);
  EXPECT_TRUE(fault([&] { at_[2 * kPage] = 'c'; },
                    [&](const FaultEvent& e) {
                      EXPECT_TRUE(e.write);
                      EXPECT_FALSE(e.write_protected);
                      put(2, 'b');
                      EXPECT_EQ(uffd_.map(address(2), kPage, false, &done), 0);
                    }));
  EXPECT_EQ(at_[2 * kPage], 'c');
  EXPECT_EQ(at_[2 * kPage + 1], 'b');
}

TEST_F(UffdTest, MapsReadOnlyAndReportsTheWrite) {
  track(Uffd::Mode::kTracked);
  put(7, 'x');
  uint64_t done;
  ASSERT_EQ(uffd_.map(address(7), kPage, true, &done), 0);
  EXPECT_EQ(at_[7 * kPage], 'x');
  EXPECT_TRUE(fault([&] { at_[7 * kPage] = 'y'; },
                    [&](const FaultEvent& e) {
                      EXPECT_TRUE(e.write_protected);
                      EXPECT_EQ(uffd_.write_protect(address(7), kPage, false), 0);
                    }));
  EXPECT_EQ(at_[7 * kPage], 'y');
}

TEST_F(UffdTest, RunStopsAtAMappedPage) {
  track(Uffd::Mode::kTracked);
  for (uint64_t p = 0; p < 4; ++p) put(p, 'r');
  uint64_t done;
  ASSERT_EQ(uffd_.map(address(2), kPage, false, &done), 0);
  EXPECT_EQ(uffd_.map(address(0), 4 * kPage, false, &done), -EEXIST);
  EXPECT_EQ(done, 2 * kPage);
}

TEST_F(UffdTest, ReadingAHoleThroughTheFileLeavesIt) {
  std::vector<std::byte> bytes(kPage, std::byte{9});
  ASSERT_EQ(memfd_.read(0, bytes), 0);
  EXPECT_EQ(bytes[17], std::byte{0});
  EXPECT_EQ(memfd_.next_data(0), -ENXIO);
}

}  // namespace
}  // namespace dsm::os
