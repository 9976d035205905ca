// SPDX-License-Identifier: Apache-2.0
#include "libdsm/memory/address_map.h"

#include <array>
#include <gtest/gtest.h>
#include <random>

namespace dsm::memory {
namespace {

MappedRange range(uint64_t first, uint64_t pages, uint32_t protection) {
  MappedRange r;
  r.start = first * kPageBytes;
  r.end = (first + pages) * kPageBytes;
  r.protection = protection;
  r.file_offset = r.start;  // so that cuts can be checked
  r.file_bytes = pages * kPageBytes;
  return r;
}

TEST(AddressMapTest, FindsWhatWasAdded) {
  AddressMap map;
  map.add(range(10, 5, kRead));
  EXPECT_EQ(map.find(9 * kPageBytes), nullptr);
  ASSERT_NE(map.find(14 * kPageBytes + 7), nullptr);
  EXPECT_EQ(map.find(15 * kPageBytes), nullptr);
}

TEST(AddressMapTest, RemovalFromTheMiddleCutsFileOffsets) {
  AddressMap map;
  map.add(range(10, 10, kRead));
  map.remove(13 * kPageBytes, 2 * kPageBytes);
  ASSERT_EQ(map.size(), 2u);
  const MappedRange* left = map.find(12 * kPageBytes);
  const MappedRange* right = map.find(15 * kPageBytes);
  ASSERT_TRUE(left && right);
  EXPECT_EQ(left->end, 13 * kPageBytes);
  EXPECT_EQ(left->file_bytes, 3 * kPageBytes);
  EXPECT_EQ(right->start, right->file_offset);
  EXPECT_EQ(right->file_bytes, 5 * kPageBytes);
}

TEST(AddressMapTest, ProtectKeepsHoles) {
  AddressMap map;
  map.add(range(0, 4, kRead | kWrite));
  map.add(range(8, 4, kRead | kWrite));
  map.protect(2 * kPageBytes, 8 * kPageBytes, kRead);
  EXPECT_TRUE(map.find(kPageBytes)->writable());
  EXPECT_FALSE(map.find(3 * kPageBytes)->writable());
  EXPECT_EQ(map.find(5 * kPageBytes), nullptr);
  EXPECT_FALSE(map.find(9 * kPageBytes)->writable());
  EXPECT_TRUE(map.find(10 * kPageBytes)->writable());
}

// Against one protection value a page (0: unmapped).
TEST(AddressMapTest, AgreesWithAnArrayOfPages) {
  constexpr uint64_t kPages = 48;
  std::mt19937 random(7);
  AddressMap map;
  std::array<int, kPages> model;
  model.fill(-1);
  for (int step = 0; step < 20000; ++step) {
    uint64_t first = random() % kPages, count = 1 + random() % (kPages - first);
    uint32_t protection = random() % 8;
    switch (random() % 3) {
      case 0:
        map.add(range(first, count, protection));
        for (uint64_t i = 0; i < count; ++i) model[first + i] = static_cast<int>(protection);
        break;
      case 1:
        map.remove(first * kPageBytes, count * kPageBytes);
        for (uint64_t i = 0; i < count; ++i) model[first + i] = -1;
        break;
      default:
        map.protect(first * kPageBytes, count * kPageBytes, protection);
        for (uint64_t i = 0; i < count; ++i)
          if (model[first + i] >= 0) model[first + i] = static_cast<int>(protection);
    }
    std::array<int, kPages> seen;
    seen.fill(-1);
    map.for_each(0, kPages * kPageBytes, [&](const MappedRange& r, uint64_t start, uint64_t end) {
      for (uint64_t at = start; at < end; at += kPageBytes) seen[at / kPageBytes] = static_cast<int>(r.protection);
      EXPECT_EQ(r.file_offset, r.start);
    });
    ASSERT_EQ(seen, model) << "step " << step;
    for (uint64_t p = 0; p < kPages; ++p) {
      const MappedRange* r = map.find(p * kPageBytes + 5);
      ASSERT_EQ(r ? static_cast<int>(r->protection) : -1, model[p]);
    }
  }
}

}  // namespace
}  // namespace dsm::memory
