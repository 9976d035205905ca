// SPDX-License-Identifier: Apache-2.0
#include "libdsm/memory/page_store.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <vector>

#include "libdsm/memory/sent_store.h"

namespace dsm::memory {
namespace {

constexpr uint64_t kBlockBytes = kPagesPerBlock * kPageBytes;
std::vector<std::byte> filled(size_t pages, int value) { return std::vector<std::byte>(pages * kPageBytes, std::byte(value)); }

TEST(PageStoreTest, PresenceFollowsContent) {
  PageStore store(os::Memfd::create("store", 4 * kBlockBytes), nullptr);
  BlockNo block{1};
  ASSERT_EQ(store.write(first_page(block), filled(1, 1)), 0);
  ASSERT_EQ(store.write(first_page(block) + 511, filled(2, 2)), 0);  // the second page lies in the next block
  ASSERT_EQ(store.write(first_page(block) + 100, filled(3, 3)), 0);
  ASSERT_EQ(store.punch(first_page(block) + 101, 1), 0);
  wire::BlockBits present;
  ASSERT_EQ(store.presence(block, &present), 0);
  EXPECT_EQ(present.count(), 4u);
  for (unsigned i : {0u, 100u, 102u, 511u}) EXPECT_TRUE(present.test(i)) << i;
  ASSERT_EQ(store.presence(BlockNo{2}, &present), 0);
  EXPECT_EQ(present.count(), 1u);
  ASSERT_EQ(store.presence(BlockNo{3}, &present), 0);
  EXPECT_TRUE(present.none());
}

TEST(PageStoreTest, DigestSeesOneByte) {
  PageStore store(os::Memfd::create("store", kBlockBytes), nullptr);
  auto bytes = filled(1, 4);
  ASSERT_EQ(store.write(PageNo{9}, bytes), 0);
  uint64_t before = store.digest(PageNo{9});
  bytes[4000] = std::byte{5};
  ASSERT_EQ(store.write(PageNo{9}, bytes), 0);
  EXPECT_NE(store.digest(PageNo{9}), before);
}

TEST(PageStoreTest, RunOverFileAndMemory) {
  AddressMap map;
  PageStore store(os::Memfd::create("store", kBlockBytes), &map);
  os::Memfd file = os::Memfd::create("file", kPageBytes + 100);
  ASSERT_EQ(file.write(0, filled(1, 'f')), 0);
  std::vector<std::byte> tail(100, std::byte('t'));
  ASSERT_EQ(file.write(kPageBytes, tail), 0);
  MappedRange r;
  r.start = 2 * kPageBytes;
  r.end = 4 * kPageBytes;
  r.kind = RangeKind::kFileRead;
  r.file_bytes = kPageBytes + 100;
  auto mapped = std::make_shared<MappedFile>();
  mapped->fd = os::Fd(::dup(file.fd()));
  r.file = mapped;
  map.add(r);
  ASSERT_EQ(store.write(PageNo{1}, filled(1, 'm')), 0);
  ASSERT_EQ(store.write(PageNo{4}, filled(1, 'n')), 0);
  std::vector<std::byte> got(4 * kPageBytes);
  ASSERT_EQ(store.read(PageNo{1}, got), 0);
  EXPECT_EQ(got[0], std::byte('m'));
  EXPECT_EQ(got[kPageBytes], std::byte('f'));
  EXPECT_EQ(got[2 * kPageBytes + 99], std::byte('t'));
  EXPECT_EQ(got[2 * kPageBytes + 100], std::byte(0));
  EXPECT_EQ(got[3 * kPageBytes], std::byte('n'));
}

TEST(SentStoreTest, KeepsUntilForgotten) {
  SentStore sent;
  EXPECT_TRUE(sent.get(PageNo{1}).empty());
  sent.put(PageNo{1})[5] = std::byte{7};
  sent.put(PageNo{2})[5] = std::byte{8};
  EXPECT_EQ(sent.get(PageNo{1})[5], std::byte{7});
  sent.forget(PageNo{1});
  sent.forget(PageNo{1});
  EXPECT_TRUE(sent.get(PageNo{1}).empty());
  EXPECT_EQ(sent.get(PageNo{2})[5], std::byte{8});
  EXPECT_EQ(sent.size(), 1u);
}

}  // namespace
}  // namespace dsm::memory
