// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/origin_space.h"

#include <algorithm>
#include <cerrno>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace dsm::agent {
namespace {

constexpr uint64_t kBlockBytes = kPagesPerBlock * kPageBytes;

// Remembers what was registered how, page by page.
class RecordingSource final : public fault::FaultSource {
 public:
  int fd() const override { return -1; }
  int read(std::span<fault::FaultEvent>) override { return 0; }
  int track(uint64_t start, uint64_t length, fault::Tracking tracking) override {
    ++calls;
    for (uint64_t hole : unmapped)
      if (hole >= start / kPageBytes && hole < (start + length) / kPageBytes) return -EINVAL;
    for (uint64_t at = start; at < start + length; at += kPageBytes) tracked[at / kPageBytes] = tracking;
    return 0;
  }
  int map(PageNo, uint64_t, Access) override { return 0; }
  int zero_fill(PageNo, uint64_t, Access) override { return 0; }
  uint64_t fill_holes(PageNo first, uint64_t count) override {
    count = std::min(count, content_at.value > first.value ? content_at.value - first.value : count);
    filled.push_back({first, count});
    return count;
  }
  int unprotect(PageNo, uint64_t) override { return 0; }
  int protect(PageNo first, uint64_t count) override {
    guarded.push_back({first, count});
    return 0;
  }
  int zap(PageNo, uint64_t) override { return 0; }
  int wake(PageNo, uint64_t) override { return 0; }

  std::map<uint64_t, fault::Tracking> tracked;
  std::vector<uint64_t> unmapped;  // pages that the kernel does not have
  std::vector<PageRange> filled, guarded;
  PageNo content_at{UINT64_MAX};  // filling stops in front of it
  int calls = 0;
};

memory::MappedRange range(uint64_t start, uint64_t bytes, uint32_t protection,
                          memory::RangeKind kind = memory::RangeKind::kPrivate) {
  memory::MappedRange r;
  r.start = start;
  r.end = start + bytes;
  r.protection = protection;
  r.kind = kind;
  if (kind == memory::RangeKind::kFileRead) {
    auto file = std::make_shared<memory::MappedFile>();
    file->fd = os::Fd(::memfd_create("file", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(file->fd.get(), static_cast<off_t>(bytes)), 0);
    r.file = file;
    r.file_bytes = bytes;
  }
  return r;
}

TEST(OriginSpaceTest, OpeningABlockTracksItsPrivatePiecesOnly) {
  OriginSpace space;
  RecordingSource source;
  ASSERT_EQ(space.add(range(0, 3 * kBlockBytes, 3), source), 0);
  ASSERT_EQ(space.add(range(kBlockBytes + 8 * kPageBytes, kPageBytes, 1, memory::RangeKind::kFileRead), source), 0);
  source.tracked.clear();
  ASSERT_EQ(space.open(BlockNo{1}, source), 0);
  EXPECT_EQ(source.tracked.size(), kPagesPerBlock - 1);
  EXPECT_FALSE(source.tracked.contains(kPagesPerBlock + 8));
  for (auto& [page, how] : source.tracked) EXPECT_EQ(how, fault::Tracking::kTracked) << page;
  int calls = source.calls;
  ASSERT_EQ(space.open(BlockNo{1}, source), 0);
  EXPECT_EQ(source.calls, calls);
}

TEST(OriginSpaceTest, OpeningSurvivesWhatIsUnmappedAlready) {
  OriginSpace space;
  RecordingSource source;
  ASSERT_EQ(space.add(range(0, kBlockBytes, 3), source), 0);
  source.tracked.clear();
  source.unmapped = {17, 18, 400};
  ASSERT_EQ(space.open(BlockNo{0}, source), 0);
  EXPECT_EQ(source.tracked.size(), kPagesPerBlock - 3);
  for (uint64_t hole : source.unmapped) EXPECT_FALSE(source.tracked.contains(hole));
}

TEST(OriginSpaceTest, NewMappingsFollowTheirBlocks) {
  OriginSpace space;
  RecordingSource source;
  for (uint64_t b : {2, 3, 7}) ASSERT_EQ(space.open(BlockNo{b}, source), 0);
  source.calls = 0;
  uint64_t start = kBlockBytes + 5 * kPageBytes, end = 9 * kBlockBytes - 3 * kPageBytes;
  ASSERT_EQ(space.add(range(start, end - start, 3), source), 0);
  EXPECT_EQ(source.calls, 5);  // native, 2 and 3 together, native, 7, native
  ASSERT_EQ(source.tracked.size(), (end - start) / kPageBytes);
  for (auto& [page, how] : source.tracked) {
    uint64_t block = page / kPagesPerBlock;
    bool open = block == 2 || block == 3 || block == 7;
    EXPECT_EQ(how == fault::Tracking::kTracked, open) << page;
  }
}

TEST(OriginSpaceTest, PinnedMemoryIsGrantedToNobodyAndWaitsWhileItMoves) {
  OriginSpace space;
  RecordingSource source;
  ASSERT_EQ(space.add(range(0, 2 * kBlockBytes, 3), source), 0);
  source.tracked.clear();
  ASSERT_EQ(space.begin_pin(kBlockBytes, 4 * kPageBytes, source), 0);
  ASSERT_EQ(source.tracked.size(), 4u);   // every access is an event now, also the first touch of a hole
  for (auto& [page, how] : source.tracked) EXPECT_EQ(how, fault::Tracking::kTracked) << page;
  EXPECT_TRUE(space.is_moving(PageNo{kPagesPerBlock + 3}));
  EXPECT_FALSE(space.is_moving(PageNo{kPagesPerBlock + 4}));
  EXPECT_FALSE(space.is_moving(PageNo{kPagesPerBlock - 1}));
  space.end_pin(kBlockBytes);
  EXPECT_FALSE(space.is_moving(PageNo{kPagesPerBlock + 3}));
  EXPECT_EQ(space.map().find(kBlockBytes)->kind, memory::RangeKind::kPinned);
  EXPECT_EQ(space.map().find(kBlockBytes + 4 * kPageBytes)->kind, memory::RangeKind::kPrivate);
  EXPECT_EQ(space.map().find(kBlockBytes - 1)->kind, memory::RangeKind::kPrivate);
}

TEST(OriginSpaceTest, DescribesWhatMayBeGranted) {
  OriginSpace space;
  RecordingSource source;
  memory::PageStore pages(os::Memfd::create("space", 2 * kBlockBytes), &space.map());
  std::vector<std::byte> page(kPageBytes, std::byte{1});
  ASSERT_EQ(pages.write(PageNo{3}, page), 0);
  space.add(range(0, 10 * kPageBytes, memory::kRead | memory::kWrite), source);
  space.add(range(10 * kPageBytes, 2 * kPageBytes, memory::kRead), source);
  space.add(range(12 * kPageBytes, kPageBytes, 0), source);
  memory::MappedRange file = range(20 * kPageBytes, 4 * kPageBytes, memory::kRead, memory::RangeKind::kFileRead);
  ASSERT_EQ(::ftruncate(file.file->fd.get(), kPageBytes + 1), 0);
  space.add(file, source);
  space.add(range(30 * kPageBytes, kPageBytes, 3, memory::RangeKind::kPinned), source);
  wire::BlockInfo info = space.describe(BlockNo{0}, pages);
  EXPECT_EQ(info.present.count(), 3u);  // page 3, two of the file
  EXPECT_TRUE(info.present.test(3) && info.present.test(20) && info.present.test(21));
  EXPECT_EQ(info.writable.count(), 10u);
  EXPECT_EQ(info.readable.count(), 14u);
  EXPECT_TRUE(info.beyond_file.test(22) && info.beyond_file.test(23));
  EXPECT_FALSE(info.readable.test(12) || info.readable.test(30) || info.readable.test(22));
  EXPECT_TRUE(info.mapped.test(12) && info.pinned.test(30));
  EXPECT_FALSE(info.mapped.test(13));
  ASSERT_EQ(::ftruncate(file.file->fd.get(), 3 * kPageBytes), 0);  // mappings follow the file
  info = space.describe(BlockNo{0}, pages);
  EXPECT_TRUE(info.present.test(22) && info.readable.test(22) && info.beyond_file.test(23));
}

TEST(OriginSpaceTest, SaysWhatAProtectionTakesAway) {
  using Change = OriginSpace::Change;
  OriginSpace space;
  RecordingSource source;
  space.add(range(0, 4 * kPageBytes, 3), source);
  EXPECT_EQ(space.protect(0, kPageBytes, 3), Change::kNothingLost);
  EXPECT_EQ(space.protect(0, kPageBytes, memory::kRead), Change::kWriteLost);
  EXPECT_EQ(space.protect(0, kPageBytes, 3), Change::kNothingLost);
  EXPECT_EQ(space.protect(0, 4 * kPageBytes, 0), Change::kAllLost);
  EXPECT_EQ(space.protect(0, 4 * kPageBytes, memory::kRead), Change::kNothingLost);
}

TEST(OriginSpaceTest, PiecesCoverARun) {
  OriginSpace space;
  RecordingSource source;
  space.add(range(2 * kPageBytes, 3 * kPageBytes, 3), source);
  space.add(range(5 * kPageBytes, kPageBytes, 1, memory::RangeKind::kFileRead), source);
  uint64_t covered = 0, registered = 0;
  space.for_each_piece(PageNo{0}, 8, [&](PageNo first, uint64_t count, bool is_registered) {
    EXPECT_EQ(first.value, covered);
    covered += count;
    if (is_registered) registered += count;
  });
  EXPECT_EQ(covered, 8u);
  EXPECT_EQ(registered, 3u);
}

class FirstTouchTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kRun = FirstTouch::kProofPages;
  const PageNo begin{0}, guard = begin + kRun;

  void SetUp() override { ASSERT_EQ(space.add(range(0, 4 * kBlockBytes, 3), source), 0); }
  void touch(PageNo first, uint64_t count) {
    ASSERT_EQ(pages.write(first, std::vector<std::byte>(count * kPageBytes, std::byte{1})), 0);
  }
  // What the hit of a guard fills.
  std::vector<PageRange> hit(PageNo page) {
    source.filled.clear();
    source.guarded.clear();
    EXPECT_EQ(space.fill_ahead(page, pages, source), 0);
    for (PageRange run : source.filled) touch(run.first, run.count);
    return source.filled;
  }
  PageNo next_guard() const { return source.guarded.empty() ? PageNo{} : source.guarded.back().first; }

  OriginSpace space;
  RecordingSource source;
  memory::PageStore pages{os::Memfd::create("space", 4 * kBlockBytes), &space.map()};
};

TEST_F(FirstTouchTest, OnlyLargeWritableNativeRangesAreGuarded) {
  EXPECT_EQ(source.guarded, std::vector({PageRange{guard, 1}}));
  source.guarded.clear();
  const uint64_t at = 8 * kBlockBytes;
  ASSERT_EQ(space.add(range(at, (FirstTouch::kMinRangePages - 1) * kPageBytes, 3), source), 0);
  ASSERT_EQ(space.add(range(at, kBlockBytes, memory::kRead), source), 0);
  ASSERT_EQ(space.add(range(at, kBlockBytes, 3, memory::RangeKind::kPinned), source), 0);
  ASSERT_EQ(space.open(BlockNo{8}, source), 0);
  ASSERT_EQ(space.add(range(at, 2 * kBlockBytes, 3), source), 0);
  EXPECT_TRUE(source.guarded.empty());
}

TEST_F(FirstTouchTest, RunsOfAStreamGrowUpToTheEndOfTheRange) {
  touch(begin, kRun + 1);
  uint64_t run = kRun;
  PageNo at = guard;
  const uint64_t end = 4 * kPagesPerBlock;
  for (;;) {
    const uint64_t expected = std::min(run, end - at.value - 1);
    ASSERT_EQ(hit(at), std::vector({PageRange{at + 1, expected}}));
    if (at.value + 1 + expected == end) break;
    ASSERT_EQ(next_guard(), at + run + 1);
    at = next_guard();
    touch(at, 1);
    run = std::min(2 * run, FirstTouch::kMaxRunPages);
  }
  EXPECT_EQ(run, FirstTouch::kMaxRunPages);
  EXPECT_TRUE(source.guarded.empty());
}

TEST_F(FirstTouchTest, OtherTouchesFillNothing) {
  touch(begin + 1, kRun);
  EXPECT_TRUE(hit(begin).empty());
  EXPECT_TRUE(hit(guard).empty());  // the first page is a hole: no stream
  touch(begin, 1);
  EXPECT_TRUE(hit(guard).empty());  // a guard is hit once
}

TEST_F(FirstTouchTest, AStreamEndsAtContent) {
  touch(begin, kRun + 1);
  source.content_at = guard + 5;
  EXPECT_EQ(hit(guard), std::vector({PageRange{guard + 1, 4}}));
  EXPECT_TRUE(source.guarded.empty());
}

TEST_F(FirstTouchTest, OpenBlocksAreNotFilled) {
  touch(begin, kPagesPerBlock);
  ASSERT_EQ(space.open(BlockNo{1}, source), 0);
  PageNo at = guard;
  uint64_t last = 0;
  for (int i = 0; i < 8 && at != PageNo{}; ++i, at = next_guard())
    for (PageRange run : hit(at)) last = run.first.value + run.count;
  EXPECT_EQ(last, kPagesPerBlock);
  ASSERT_EQ(space.open(BlockNo{0}, source), 0);
  EXPECT_TRUE(hit(guard).empty());
}

TEST_F(FirstTouchTest, GuardsGoWithTheirRange) {
  touch(begin, kRun + 1);
  space.remove(guard.address(), kPageBytes);
  EXPECT_TRUE(hit(guard).empty());
  ASSERT_EQ(space.add(range(0, 4 * kBlockBytes, 3), source), 0);
  space.protect(0, kBlockBytes, memory::kRead);
  EXPECT_TRUE(hit(guard).empty());
  ASSERT_EQ(space.add(range(0, 4 * kBlockBytes, 3), source), 0);
  space.clear();
  EXPECT_TRUE(hit(guard).empty());
}

}  // namespace
}  // namespace dsm::agent
