// SPDX-License-Identifier: Apache-2.0
// Who writes which page into a checkpoint.
#include <gtest/gtest.h>

#include "libdsm/coherence/cut_selection.h"
#include "tests/unit/protocol/small_cluster.h"

namespace dsm::test {
namespace {

using coherence::CutSelection;

std::vector<CutSelection> cut(const SmallCluster& c) {
  std::vector<CutSelection> selections;
  for (const auto& cache : c.cache) selections.emplace_back(cache);
  for (const auto& directory : c.directory)
    for (const auto& share : directory.cut_shares()) EXPECT_EQ(selections[share.writer.value].add(share), "");
  return selections;
}

bool writes(const CutSelection& selection, PageNo page) {
  const auto block = selection.pages().find(page.block());
  return block != selection.pages().end() && block->second.test(page.index());
}

TEST(Cut, OwnersAndLowestSharers) {
  SmallCluster c(4);
  const PageNo owned = page_at(7, 1), shared = page_at(7, 2), with_origin = page_at(7, 3), untouched = page_at(7, 4);
  ASSERT_TRUE(c.store(2, owned, 1));
  ASSERT_TRUE(c.store(3, shared, 2));
  ASSERT_TRUE(c.load(2, shared));
  ASSERT_TRUE(c.load(1, with_origin));
  ASSERT_TRUE(c.store(0, with_origin, 3));
  ASSERT_TRUE(c.load(3, with_origin));
  c.settle();
  const auto selections = cut(c);
  const unsigned writer[] = {2, 2, 0};
  const PageNo pages[] = {owned, shared, with_origin};
  for (unsigned p = 0; p < 3; ++p)
    for (unsigned n = 0; n < 4; ++n) EXPECT_EQ(writes(selections[n], pages[p]), n == writer[p]) << "page " << p << ", node " << n;
  for (unsigned n = 0; n < 4; ++n) EXPECT_FALSE(writes(selections[n], untouched));
}

TEST(Cut, AShareThatDoesNotFitIsNamed) {
  SmallCluster c(3);
  const PageNo page = page_at(7, 70);
  ASSERT_TRUE(c.store(1, page, 1));
  ASSERT_TRUE(c.load(2, page));
  c.settle();
  pagedir::CutShare share{NodeId{1}, page.block(), {}};
  share.pages.set(page.index());
  CutSelection selection(c.cache[1]);
  EXPECT_EQ(selection.add(share), "");
  EXPECT_NE(selection.add(share).find("page " + std::to_string(page.value)), std::string::npos);  // a second time
  CutSelection other(c.cache[0]);
  EXPECT_NE(other.add(share), "");
  EXPECT_EQ(other.count(), 0u);
}

}  // namespace
}  // namespace dsm::test
