// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "libdsm/wire/decode_bounds.h"
#include "tests/unit/protocol/small_cluster.h"

namespace dsm::test {
namespace {

coherence::CacheConfig ahead() {
  auto c = SmallCluster::quiet();
  c.prefetch_max = 64;
  return c;
}

// Node 0 has written `pages` pages from block 40 on; node 1 reads every `stride`th. Returns the requests that took.
unsigned requests_for(unsigned pages, unsigned stride, bool write = false) {
  SmallCluster c(2, ahead());
  for (unsigned i = 0; i < pages; ++i) c.native_write(page_at(40, 0) + i, i + 1);
  c.load(1, page_at(39, 500));
  c.clear();
  for (unsigned i = 0; i < pages; i += stride) {
    uint64_t v = 0;
    if (write) {
      EXPECT_TRUE(c.store(1, page_at(40, 0) + i, i + 1));
    }
    EXPECT_TRUE(c.load(1, page_at(40, 0) + i, &v));
    EXPECT_EQ(v, i + 1);
  }
  EXPECT_TRUE(c.quiet_now());
  return c.count("Request");
}

TEST(Prefetch, SequentialReadsTakeFewRequests) { EXPECT_LE(requests_for(4096, 1), 4096u / 64 + 20); }

TEST(Prefetch, SequentialWritesTakeFewer) { EXPECT_LE(requests_for(1024, 1, true), 1024u / 16 + 20); }

TEST(Prefetch, StridesAreFetchedAhead) {
  SmallCluster c(2, ahead());
  for (unsigned i = 0; i < 512; ++i) c.native_write(page_at(40, i), i + 1);
  for (unsigned i = 0; i < 512; i += 8) {
    uint64_t v = 0;
    ASSERT_TRUE(c.load(1, page_at(40, i), &v));
    ASSERT_EQ(v, i + 1);
  }
  EXPECT_GE(c.cache[1].counters().prefetch_used, 50u);
  EXPECT_LE(c.cache[1].counters().read_faults, 10u);
}

TEST(Prefetch, ScatteredReadsFetchNothingAhead) {
  SmallCluster c(2, ahead());
  for (unsigned i = 0; i < 512; ++i) c.native_write(page_at(40, i), i + 1);
  uint64_t x = 1;
  for (unsigned i = 0; i < 60; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    ASSERT_TRUE(c.load(1, page_at(40, static_cast<unsigned>(x >> 55))));
  }
  EXPECT_LE(c.cache[1].counters().prefetched, 12u);
}

TEST(Prefetch, ArraysThatAreReadTogetherAreFetchedAheadEach) {
  SmallCluster c(2, ahead());
  for (unsigned array = 0; array < 3; ++array)
    for (unsigned i = 0; i < 512; ++i) c.native_write(page_at(40 + 20 * array, i), i + 1);
  for (unsigned i = 0; i < 512; ++i)
    for (unsigned array = 0; array < 3; ++array) {
      if (array == 2) ASSERT_TRUE(c.store(1, page_at(80, i), 5));
      else ASSERT_TRUE(c.load(1, page_at(40 + 20 * array, i)));
    }
  const auto& n = c.cache[1].counters();
  EXPECT_LE(n.read_faults + n.write_faults, 12u);
  EXPECT_LE(c.count("Request"), 2 * 512u / 64 + 512u / 16 + 30);
  EXPECT_TRUE(c.quiet_now());
}

// A thread's share of the rows of a picture: 17 pages of every 68. What lies between is the other threads'.
TEST(Prefetch, StretchesAreExpectedToBeAsLongAsTheOnesBefore) {
  SmallCluster c(2, ahead());
  constexpr unsigned kShare = 17, kTurn = 68, kTurns = 40;
  for (unsigned i = 0; i < kTurn * kTurns; ++i) c.native_write(page_at(40, 0) + i, i + 1);
  for (unsigned turn = 0; turn < kTurns; ++turn)
    for (unsigned i = 0; i < kShare; ++i) ASSERT_TRUE(c.store(1, page_at(40, 0) + turn * kTurn + i, 1));
  unsigned taken = 0;
  for (unsigned i = 0; i < kTurn * kTurns; ++i)
    taken += i % kTurn >= kShare && c.cache[1].state_of(page_at(40, 0) + i) != coherence::PageState::kInvalid;
  EXPECT_LE(taken, 100u);
  EXPECT_LE(c.cache[1].counters().write_faults, kTurns * 4);
}

// A stretch that is longer than the ones before is recognised as such.
TEST(Prefetch, ALongerStretchGrowsAgain) {
  SmallCluster c(2, ahead());
  for (unsigned i = 0; i < 8 * 512; ++i) c.native_write(page_at(40, 0) + i, i + 1);
  for (unsigned turn = 0; turn < 3; ++turn)
    for (unsigned i = 0; i < 12; ++i) ASSERT_TRUE(c.load(1, page_at(40, turn * 100 + i)));
  c.clear();
  for (unsigned i = 400; i < 8 * 512; ++i) ASSERT_TRUE(c.load(1, page_at(40, 0) + i));
  EXPECT_LE(c.count("Request"), 3700u / 64 + 20);
}

// A stream that runs into the end of the address space (the strings on top of the main stack) or, with a stride, below
// zero, must not ask for pages that no receiver accepts.
TEST(Prefetch, StreamsEndWithTheAddressSpace) {
  for (int64_t stride : {1, 2, 3, 200, -1, -2, -200}) {
    SmallCluster c(2, ahead());
    const uint64_t top = wire::kMaxPage - 1;
    const uint64_t from = stride > 0 ? top - static_cast<uint64_t>(9 * stride) : static_cast<uint64_t>(-9 * stride);
    for (int64_t i = 0; i < 10; ++i) {
      const PageNo page{from + static_cast<uint64_t>(i * stride)};
      ASSERT_TRUE(c.store(0, page, 7));
      ASSERT_TRUE(c.load(1, page));
    }
    EXPECT_TRUE(c.quiet_now());
  }
}

// Node 1 writes along from page 64 on and has pages ahead of it; node 2 writes along from page 40 into them.
struct TwoStreams {
  TwoStreams() : c(3, ahead()) {
    for (unsigned i = 0; i < 256; ++i) c.native_write(page_at(40, i), i + 1);
    for (unsigned i = 64; i < 72; ++i) EXPECT_TRUE(c.store(1, page_at(40, i), i));
    for (unsigned i = 40; i < 66; ++i) EXPECT_TRUE(c.store(2, page_at(40, i), i));
  }
  PageNo last_held_by_1() const {
    PageNo page = page_at(40, 255);
    while (c.cache[1].state_of(page) == coherence::PageState::kInvalid) page = PageNo{page.value - 1};
    return page;
  }
  SmallCluster c;
};

TEST(Prefetch, ARunEndsWhereAThreadOfTheSupplierIsGoing) {
  TwoStreams t;
  EXPECT_GE(t.last_held_by_1().value, page_at(40, 80).value);
  const uint64_t faults = t.c.cache[1].counters().write_faults;
  for (unsigned i = 72; i < 80; ++i) ASSERT_TRUE(t.c.store(1, page_at(40, i), i));
  EXPECT_EQ(t.c.cache[1].counters().write_faults, faults);
}

TEST(Prefetch, PagesThatAreWaitedForAreNotGuarded) {
  TwoStreams t;
  ASSERT_TRUE(t.c.store(2, t.last_held_by_1(), 1));
  EXPECT_EQ(t.c.cache[1].state_of(t.last_held_by_1() + 1), coherence::PageState::kInvalid);
  EXPECT_EQ(t.c.cache[1].counters().prefetch_lost, 1u);
  EXPECT_TRUE(t.c.quiet_now());
}

// Its guess was wrong once: it begins anew, and takes nothing more until steps agree again.
TEST(Prefetch, AStreamThatLostAPageGuessesLess) {
  TwoStreams t;
  const PageNo lost = t.last_held_by_1();
  ASSERT_TRUE(t.c.store(2, lost, 1));
  t.c.clear();
  ASSERT_TRUE(t.c.store(1, lost, 1));
  EXPECT_EQ(t.c.count("Request"), 1u);
  EXPECT_EQ(t.c.cache[1].state_of(lost + 1), coherence::PageState::kInvalid);
}

// ---- Pages that were read first and are written now

// Node 0 has written 512 pages, node 1 has read them all: each is shared by both.
struct SharedArray {
  SharedArray(unsigned nodes, const coherence::CacheConfig& config) : c(nodes, config) {
    for (unsigned i = 0; i < kPages; ++i) c.native_write(page_at(40, i), i + 1);
    for (unsigned i = 0; i < kPages; ++i) EXPECT_TRUE(c.load(1, page_at(40, i)));
    c.clear();
  }
  void write_all_at(unsigned node) {
    for (unsigned i = 0; i < kPages; ++i) ASSERT_TRUE(c.store(node, page_at(40, i), 1000 + i));
  }
  void expect_written_at(unsigned node) {
    for (unsigned i = 0; i < kPages; ++i) {
      uint64_t v = 0;
      ASSERT_TRUE(c.load(node, page_at(40, i), &v));
      ASSERT_EQ(v, 1000 + i);
    }
    EXPECT_TRUE(c.quiet_now());
    EXPECT_TRUE(c.errors.empty());
  }
  static constexpr unsigned kPages = 512;
  SmallCluster c;
};

TEST(Prefetch, UpgradesGoAheadInRuns) {
  SharedArray a(2, ahead());
  a.write_all_at(1);
  EXPECT_LE(a.c.count("Request"), 512u / 16 + 20);
  EXPECT_LE(a.c.count("Invalidate"), 512u / 16 + 20);
  EXPECT_EQ(a.c.count("Data"), 0u);
  for (unsigned i = 0; i < SharedArray::kPages; ++i) EXPECT_EQ(a.c.cache[0].state_of(page_at(40, i)), coherence::PageState::kInvalid);
  a.expect_written_at(0);
}

TEST(Prefetch, ARunOfUpgradesEndsWhereOthersShare) {
  SharedArray a(3, ahead());
  for (unsigned i : {40u, 41u, 100u}) ASSERT_TRUE(a.c.load(2, page_at(40, i)));
  a.write_all_at(1);
  for (unsigned i : {40u, 41u, 100u}) EXPECT_EQ(a.c.cache[2].state_of(page_at(40, i)), coherence::PageState::kInvalid);
  a.expect_written_at(2);
}

TEST(Prefetch, ARunIsGivenUpWhenNoPageOfItIsHeldAnyMore) {
  auto config = ahead();
  config.hold_ns = 20'000;
  SharedArray a(2, config);
  const PageNo first_held = page_at(40, 60), then_held = page_at(40, 61);
  for (unsigned node : {0u, 1u}) {   // not by turns of reading and writing: they would be handed to the reader whole
    ASSERT_TRUE(a.c.store(node, first_held, 1));
    ASSERT_TRUE(a.c.store(node, then_held, 1));
    a.c.advance(1'000'000);
  }
  ASSERT_TRUE(a.c.load(0, first_held));
  a.c.advance(5'000);
  ASSERT_TRUE(a.c.load(0, then_held));
  unsigned waited_for = 0;   // the page at which the stream asks for a run with both
  while (a.c.store(1, page_at(40, waited_for), 1)) ++waited_for;
  ASSERT_LE(waited_for, 60u);
  a.c.advance(16'000);
  EXPECT_EQ(a.c.cache[0].state_of(first_held), coherence::PageState::kShared);
  EXPECT_EQ(a.c.cache[1].state_of(page_at(40, waited_for)), coherence::PageState::kShared);
  a.c.advance(5'000);
  EXPECT_EQ(a.c.cache[0].state_of(first_held), coherence::PageState::kInvalid);
  EXPECT_EQ(a.c.cache[0].state_of(then_held), coherence::PageState::kInvalid);
  EXPECT_EQ(a.c.cache[1].state_of(page_at(40, waited_for)), coherence::PageState::kExclusive);
}

// What each node reads and then writes is handed to the next reader whole, a run at a time.
TEST(Prefetch, MigratoryPagesMoveInRuns) {
  SharedArray a(3, ahead());
  a.write_all_at(1);
  a.c.clear();
  for (unsigned i = 0; i < SharedArray::kPages; ++i) ASSERT_TRUE(a.c.load(2, page_at(40, i)));
  EXPECT_LE(a.c.count("Request"), 512u / 64 + 20);
  unsigned left_behind = 0;   // where node 1's own stream was going
  for (unsigned i = 0; i < SharedArray::kPages; ++i) left_behind += a.c.cache[1].state_of(page_at(40, i)) != coherence::PageState::kInvalid;
  EXPECT_LE(left_behind, 8u);
  a.c.clear();
  a.write_all_at(2);
  EXPECT_LE(a.c.count("Request"), left_behind);
  a.expect_written_at(0);
}

}  // namespace
}  // namespace dsm::test
