// SPDX-License-Identifier: Apache-2.0
// What cannot be is answered with an error, and changes nothing.
#include <gtest/gtest.h>

#include <random>

#include "libdsm/wire/codec.h"
#include "tests/unit/protocol/small_cluster.h"

namespace dsm::test {
namespace {

const PageNo kPage = page_at(7, 3);
const TxnId kTxn{(uint64_t{1} << wire::kTxnEpochShift) + 1};

TEST(Hostile, ImpossibleMessagesAreErrors) {
  SmallCluster c(3);
  ASSERT_TRUE(c.store(1, kPage, 5));
  const NodeId host = c.map.host_of(kPage), one{1}, two{2};
  const NodeId stranger = host == two ? NodeId{0} : two;
  const wire::Envelope impossible[] = {
      {two, one, wire::Data{kPage, 1, Access::kWrite, kTxn, 77, 0, false, true, false}},
      {two, one, wire::Data{kPage, 1, Access::kWrite, kTxn, 0, 0, false, true, false}},
      {host, one, wire::Grant{kPage, 1, Access::kWrite, kTxn, 77, 0, false}},
      {stranger, one, wire::Fetch{kPage, 1, 0, Access::kWrite, two, kTxn, 1, 0, true}},
      {stranger, one, wire::Invalidate{kPage, 1, kTxn}},
      {host, one, wire::Invalidate{kPage + 1, 1, kTxn}},
      {two, one, wire::RangeDrop{RangeId{1}, {kPage, 1}, 1}},
      {two, one, wire::OpenBlock{kPage.block()}},
      {two, host, wire::Done{kPage, 1, Access::kWrite, kTxn, false, false}},
      {two, host, wire::InvalidateAck{kPage, kTxn, false}},
      {two, host, wire::RangeQuiesce{RangeId{1}, {kPage, 1}, 1, wire::RangeOp::kDrop}},
      {two, host, wire::BlockInfo{kPage.block(), {}, {}, {}, {}, {}, {}}},
  };
  for (const wire::Envelope& e : impossible) {
    c.errors.clear();
    const auto before = c.memory[1];
    c.inject(e);
    EXPECT_EQ(c.errors.size(), 1u) << wire::to_string(e);
    EXPECT_EQ(c.memory[1].size(), before.size());
  }
  uint64_t v = 0;
  ASSERT_TRUE(c.load(2, kPage, &v));
  EXPECT_EQ(v, 5u);
}

// Well-formed messages with random fields never crash either object.
TEST(Hostile, RandomMessagesDoNotCrash) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    SmallCluster c(3);
    c.store(1, kPage, 5);
    c.load(2, kPage);
    for (int i = 0; i < 50; ++i) {
      std::array<std::byte, wire::kMaxHeaderBytes> bytes{};
      const auto node = [&] { return NodeId{static_cast<uint16_t>(random() % 3)}; };
      const PageNo page = kPage + random() % 3;
      const TxnId txn{(uint64_t{1} << wire::kTxnEpochShift) + random() % 4};
      const Access access = random() % 2 != 0 ? Access::kRead : Access::kWrite;
      const auto count = static_cast<uint16_t>(1 + random() % 4);
      const wire::Message all[] = {
          wire::Request{page, count, access, false, 1 + random() % 3},
          wire::Fetch{page, count, static_cast<uint16_t>(random() % 5), access, node(), txn, random() % 3, 0, random() % 2 != 0},
          wire::Data{page, count, access, txn, random() % 3, 0, random() % 2 != 0, random() % 2 != 0, false},
          wire::Invalidate{page, 1, txn}, wire::InvalidateAck{page, txn, false},
          wire::Grant{page, count, access, txn, random() % 3, 0, random() % 2 != 0},
          wire::Done{page, count, access, txn, random() % 2 != 0, false}, wire::Release{page, count, txn},
          wire::Refuse{page, random() % 3, wire::RefuseReason::kPinned}, wire::Evict{page, node(), 0},
          wire::RangeDropped{RangeId{random() % 2}}, wire::RangeQuiesced{RangeId{random() % 2}, {}},
      };
      const wire::Envelope e{node(), node(), all[random() % std::size(all)]};
      const size_t n = wire::encode(e, bytes);
      auto decoded = wire::decode({bytes.data(), n});
      ASSERT_TRUE(decoded.ok());
      c.inject(*decoded);
      while (c.step()) {
      }
    }
  }
}

}  // namespace
}  // namespace dsm::test
