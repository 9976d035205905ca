// SPDX-License-Identifier: Apache-2.0
// UffdSource on memory of this very process, laid out as a program's is: a memfd whose offsets are the addresses.
#include "libdsm/fault/uffd_source.h"

#include <atomic>
#include <cerrno>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "libdsm/os/clock.h"
#include "libdsm/os/kernel_features.h"

namespace dsm::fault {
namespace {

constexpr uint64_t kPages = 64;
constexpr uint64_t kAddressSpace = uint64_t{1} << 47;
constexpr TimeNs kPatienceNs = 2'000'000'000;

class UffdSourceTest : public testing::Test {
 protected:
  explicit UffdSourceTest(Tracking tracking = Tracking::kTracked) : tracking_(tracking) {}
  void SetUp() override {
    const os::KernelFeatures features = os::probe_kernel();
    if (!features.sufficient()) GTEST_SKIP() << "userfaultfd is not open to this user";
    uint64_t bits;
    int error;
    os::Uffd uffd(os::open_own_uffd(&bits, &error), features.continue_wp);
    ASSERT_TRUE(uffd.valid()) << error;
    os::Memfd memfd = os::Memfd::create("fault-test", kAddressSpace);
    ASSERT_TRUE(memfd.valid());
    void* reserved = ::mmap(nullptr, kPages * kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(reserved, MAP_FAILED);
    void* mapped = ::mmap(reserved, kPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memfd.fd(),
                          static_cast<off_t>(reinterpret_cast<uintptr_t>(reserved)));
    ASSERT_EQ(mapped, reserved);
    at_ = static_cast<volatile char*>(mapped);
    pages_ = std::make_unique<memory::PageStore>(std::move(memfd), nullptr);
    punch_ = std::make_unique<PunchInvalidation>(*pages_);
    source_ = std::make_unique<UffdSource>(std::move(uffd), *punch_, *pages_);
    ASSERT_EQ(track_all(tracking_), 0);
  }
  void TearDown() override {
    source_.reset();  // wakes whoever still waits
    if (at_) ::munmap(const_cast<char*>(at_), kPages * kPageBytes);
  }

  PageNo page(uint64_t n) const { return page_of(reinterpret_cast<uintptr_t>(at_)) + n; }
  volatile char& byte(uint64_t n) { return at_[n * kPageBytes]; }
  void put(uint64_t n, char value) {
    const std::vector<std::byte> bytes(kPageBytes, static_cast<std::byte>(value));
    ASSERT_EQ(pages_->write(page(n), bytes), 0);
  }
  char stored(uint64_t n) {
    std::vector<std::byte> bytes(kPageBytes);
    EXPECT_EQ(pages_->read(page(n), bytes), 0);
    return static_cast<char>(bytes[0]);
  }
  bool no_event() {
    FaultEvent event;
    return source_->read({&event, 1}) == 0;
  }
  // Runs `access` in a thread, which must fault on page n; `serve` has to answer. Without a fault in time the test fails.
  void fault(uint64_t n, Access wanted, const std::function<void()>& access, const std::function<void()>& serve) {
    std::atomic<int> tid = 0;
    std::thread thread([&] {
      tid = static_cast<int>(::syscall(SYS_gettid));
      access();
    });
    FaultEvent event{};
    int found = 0;
    for (const TimeNs end = os::now_ns() + kPatienceNs; found == 0 && os::now_ns() < end; std::this_thread::yield())
      found = source_->read({&event, 1});
    EXPECT_EQ(found, 1) << "no fault";
    if (found == 1) {
      EXPECT_EQ(event.page, page(n));
      EXPECT_EQ(event.access, wanted);
      EXPECT_EQ(event.thread.value, tid.load());
      serve();
    }
    thread.join();
  }
  // The two halves become mappings of their own.
  void split_in_the_middle() {
    ASSERT_EQ(::mprotect(const_cast<char*>(at_) + kPages / 2 * kPageBytes, kPages / 2 * kPageBytes, PROT_READ), 0);
  }
  void unmap(uint64_t n, uint64_t count) {
    ASSERT_EQ(::munmap(const_cast<char*>(at_) + n * kPageBytes, count * kPageBytes), 0);
  }

  int track_all(Tracking tracking) { return source_->track(page(0).address(), kPages * kPageBytes, tracking); }

  const Tracking tracking_;
  volatile char* at_ = nullptr;
  std::unique_ptr<memory::PageStore> pages_;
  std::unique_ptr<PunchInvalidation> punch_;
  std::unique_ptr<UffdSource> source_;
};

class UffdSourceNativeTest : public UffdSourceTest {
 protected:
  UffdSourceNativeTest() : UffdSourceTest(Tracking::kNative) {}
};

TEST_F(UffdSourceTest, MapForReadingServesTheReaderAndReportsTheWriter) {
  put(3, 'a');
  std::atomic<char> seen = 0;
  fault(3, Access::kRead, [&] { seen = byte(3); }, [&] { EXPECT_EQ(source_->map(page(3), 1, Access::kRead), 0); });
  EXPECT_EQ(seen, 'a');
  fault(3, Access::kWrite, [&] { byte(3) = 'b'; }, [&] { EXPECT_EQ(source_->unprotect(page(3), 1), 0); });
  EXPECT_EQ(stored(3), 'b');
}

TEST_F(UffdSourceTest, ProtectTakesOnlyTheRightToWrite) {
  put(4, 'a');
  ASSERT_EQ(source_->map(page(4), 1, Access::kWrite), 0);
  byte(4) = 'b';
  ASSERT_EQ(source_->protect(page(4), 1), 0);
  EXPECT_EQ(byte(4), 'b');
  EXPECT_TRUE(no_event());
  fault(4, Access::kWrite, [&] { byte(4) = 'c'; }, [&] {
    EXPECT_EQ(stored(4), 'b');
    EXPECT_EQ(source_->unprotect(page(4), 1), 0);
  });
  EXPECT_EQ(stored(4), 'c');
}

TEST_F(UffdSourceTest, ZappedPageFaultsAgain) {
  put(5, 'a');
  ASSERT_EQ(source_->map(page(5), 1, Access::kWrite), 0);
  EXPECT_EQ(byte(5), 'a');
  ASSERT_EQ(source_->zap(page(5), 1), 0);
  std::atomic<char> seen = 0;
  fault(5, Access::kRead, [&] { seen = byte(5); }, [&] {
    put(5, 'z');
    EXPECT_EQ(source_->map(page(5), 1, Access::kRead), 0);
  });
  EXPECT_EQ(seen, 'z');
}

TEST_F(UffdSourceTest, ZeroFillForWriting) {
  fault(6, Access::kWrite, [&] { byte(6) = 'w'; }, [&] { EXPECT_EQ(source_->zero_fill(page(6), 4, Access::kWrite), 0); });
  EXPECT_EQ(stored(6), 'w');
  byte(9) = 'x';  // filled ahead
  EXPECT_TRUE(no_event());
}

TEST_F(UffdSourceTest, ZeroFillForReadingIsWriteProtectedFromTheStart) {
  std::atomic<char> seen = 1;
  fault(6, Access::kRead, [&] { seen = byte(6); }, [&] { EXPECT_EQ(source_->zero_fill(page(6), 2, Access::kRead), 0); });
  EXPECT_EQ(seen, 0);
  fault(7, Access::kWrite, [&] { byte(7) = 'w'; }, [&] { EXPECT_EQ(source_->unprotect(page(7), 1), 0); });
}

// An invalidation that keeps the page leaves old bytes in the memfd: EEXIST, in the middle of a run.
TEST_F(UffdSourceTest, ZeroFillClearsOldContent) {
  put(11, 'o');
  ASSERT_EQ(source_->zero_fill(page(10), 3, Access::kWrite), 0);
  for (uint64_t n = 10; n < 13; ++n) {
    EXPECT_EQ(byte(n), 0);
    byte(n) = 'w';
  }
  EXPECT_TRUE(no_event());
}

// A thread's second event for a page that the first has had mapped: EEXIST, in the middle of a run.
TEST_F(UffdSourceTest, MapGoesOnBehindAPageThatIsMapped) {
  for (uint64_t n = 0; n < 4; ++n) put(n, static_cast<char>('a' + n));
  ASSERT_EQ(source_->map(page(2), 1, Access::kRead), 0);
  EXPECT_EQ(source_->map(page(0), 4, Access::kWrite), 0);
  for (uint64_t n = 0; n < 4; ++n) {
    EXPECT_EQ(byte(n), static_cast<char>('a' + n));
    byte(n) = 'w';  // page 2 too: it got the right that the run has
  }
  EXPECT_TRUE(no_event());
}

TEST_F(UffdSourceTest, MapForReadingLeavesAMappedPageItsRights) {
  put(0, 'a');
  ASSERT_EQ(source_->map(page(0), 1, Access::kWrite), 0);
  EXPECT_EQ(source_->map(page(0), 1, Access::kRead), 0);
  byte(0) = 'b';
  EXPECT_TRUE(no_event());
}

TEST_F(UffdSourceTest, RunsAcrossTwoMappings) {
  split_in_the_middle();
  const uint64_t first = kPages / 2 - 2, count = 4;
  for (uint64_t n = first; n < first + count; ++n) put(n, 'm');
  ASSERT_EQ(source_->map(page(first), count, Access::kWrite), 0);
  for (uint64_t n = first; n < first + count; ++n) EXPECT_EQ(byte(n), 'm');
  ASSERT_EQ(source_->protect(page(first), count), 0);
  fault(first + 1, Access::kWrite, [&] { byte(first + 1) = 'w'; },
        [&] { EXPECT_EQ(source_->unprotect(page(first), count), 0); });
  byte(first) = 'w';
  EXPECT_TRUE(no_event());
}

TEST_F(UffdSourceTest, ZeroFillAcrossTwoMappings) {
  split_in_the_middle();
  ASSERT_EQ(source_->zero_fill(page(kPages / 2 - 1), 2, Access::kWrite), 0);
  EXPECT_EQ(byte(kPages / 2 - 1), 0);
  EXPECT_EQ(byte(kPages / 2), 0);
  EXPECT_TRUE(no_event());
}

TEST_F(UffdSourceTest, WhatIsUnmappedIsNoError) {
  unmap(20, 2);
  for (uint64_t n = 18; n < 24; ++n) put(n, 'u');
  EXPECT_EQ(source_->map(page(18), 6, Access::kWrite), 0);
  EXPECT_EQ(byte(19), 'u');
  EXPECT_EQ(byte(22), 'u');
  EXPECT_EQ(source_->protect(page(18), 6), 0);
  EXPECT_EQ(source_->unprotect(page(18), 6), 0);
  EXPECT_EQ(source_->zap(page(18), 6), 0);
  EXPECT_EQ(source_->zero_fill(page(18), 6, Access::kRead), 0);
  EXPECT_EQ(source_->wake(page(20), 2), 0);
}

TEST_F(UffdSourceNativeTest, BecomesTracked) {
  byte(1) = 'n';
  EXPECT_TRUE(no_event());
  ASSERT_EQ(track_all(Tracking::kTracked), 0);
  EXPECT_EQ(byte(1), 'n');
  std::atomic<char> seen = 1;
  fault(2, Access::kRead, [&] { seen = byte(2); }, [&] { EXPECT_EQ(source_->zero_fill(page(2), 1, Access::kWrite), 0); });
  EXPECT_EQ(seen, 0);
}

TEST_F(UffdSourceTest, StaysTracked) {
  ASSERT_EQ(track_all(Tracking::kNative), 0);
  fault(2, Access::kWrite, [&] { byte(2) = 'w'; }, [&] { EXPECT_EQ(source_->zero_fill(page(2), 1, Access::kWrite), 0); });
}

TEST_F(UffdSourceTest, TrackRefusesWhatIsNotMapped) {
  unmap(20, 2);
  const int error = source_->track(page(20).address(), 2 * kPageBytes, Tracking::kTracked);
  EXPECT_TRUE(error == -EINVAL || error == -ENOMEM) << error;
}

TEST_F(UffdSourceTest, KeepPageInvalidationAsksTheProcess) {
  uint64_t start = 0, length = 0;
  KeepPageInvalidation keep([&](uint64_t s, uint64_t l) {
    start = s;
    length = l;
    return -ESRCH;
  });
  EXPECT_EQ(keep.invalidate(page(7), 3), -ESRCH);
  EXPECT_EQ(start, page(7).address());
  EXPECT_EQ(length, 3 * kPageBytes);
}

}  // namespace
}  // namespace dsm::fault
