// SPDX-License-Identifier: Apache-2.0
// The directory's parts by themselves: holder sets, counters, memory, the map.
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/protocol/small_cluster.h"

namespace dsm::test {
namespace {

TEST(HolderPool, InlineAndPooledSetsBehaveAlike) {
  pagedir::HolderPool pool;
  pagedir::Entry e;
  for (uint16_t n = 0; n < 256; n += 5) {
    pool.add(e, NodeId{n});
    pool.add(e, NodeId{n});
  }
  EXPECT_EQ(pool.size(e), 52u);
  EXPECT_TRUE(pool.contains(e, NodeId{255}));
  EXPECT_FALSE(pool.contains(e, NodeId{254}));
  EXPECT_EQ(pool.nth(e, 1), NodeId{5});
  for (uint16_t n = 5; n < 256; n += 5) pool.remove(e, NodeId{n});
  EXPECT_TRUE(pool.only(e, NodeId{0}));
  EXPECT_EQ(e.holders, 1);
}

TEST(ShardMap, SpreadsNeighboursAndStrides) {
  const auto map = pagedir::ShardMap::uniform(8);
  EXPECT_EQ(map.shards(), 64u);
  for (uint64_t stride : {1u, 2u, 64u, 512u}) {
    std::set<unsigned> hosts;
    for (uint64_t i = 0; i < 64; ++i) hosts.insert(map.host_of(first_page(BlockNo{i * stride})).value);
    EXPECT_EQ(hosts.size(), 8u) << stride;
  }
  EXPECT_GT(pagedir::ShardMap::uniform(200).shards(), 200u);
}

TEST(Directory, HottestPagesComeFirst) {
  SmallCluster c(3);
  const PageNo hot = page_at(7, 1), warm = page_at(7, 2);
  c.native_write(hot, 1);
  c.native_write(warm, 1);
  for (unsigned i = 0; i < 10; ++i) ASSERT_TRUE(c.store(1 + i % 2, hot, i));
  ASSERT_TRUE(c.store(1, warm, 1));
  const auto pages = c.directory[c.map.host_of(hot).value].hottest(2);
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_EQ(pages[0].page, hot);
  EXPECT_EQ(pages[0].moves, 10u);
  EXPECT_EQ(pages[0].writers, 2u);
  EXPECT_EQ(pages[0].bounces, 9u);
  EXPECT_EQ(pages[0].last_writer, NodeId{2});
}

TEST(Directory, MemoryPerTrackedPage) {
  SmallCluster c(1 + 1);
  for (unsigned b = 0; b < 200; ++b) ASSERT_TRUE(c.store(1, page_at(1000 + b, 0), 1));
  uint64_t pages = 0;
  size_t bytes = 0;
  for (const auto& d : c.directory) {
    pages += d.tracked_pages();
    bytes += d.memory_bytes();
  }
  EXPECT_EQ(pages, 200u * kPagesPerBlock);
  EXPECT_LE(bytes, pages * 24);
}

TEST(Digest, EqualStatesHaveEqualDigests) {
  auto run = [](bool other) {
    SmallCluster c(2);
    c.native_write(page_at(7, 1), 1);
    c.store(1, page_at(7, 1), 1);
    if (other) c.load(0, page_at(7, 1));
    Hasher h;
    for (const auto& d : c.directory) d.digest(h);
    for (const auto& k : c.cache) k.digest(h);
    return h.value();
  };
  EXPECT_EQ(run(false), run(false));
  EXPECT_NE(run(false), run(true));
}

}  // namespace
}  // namespace dsm::test
