// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "libdsm/wire/codec.h"

namespace dsm::wire {
namespace {

std::vector<Message> samples() {
  BlockInfo info{BlockNo{9}, {}, {}, {}, {}, {}, {}};
  info.present.set(3);
  info.pinned.set(511);
  NodeSet set;
  set.insert(NodeId{255});
  ShardReport report{};
  report.shard = ShardId{3};
  report.entries = 2;
  report.entry[0] = {PageNo{5}, TxnId{7}, 1, 4, ReportEntry::Kind::kHole};
  report.entry[1] = {PageNo{512}, TxnId{8}, 2, 512, ReportEntry::Kind::kSent};
  ShardInstall install{};
  install.verdicts = 1;
  install.verdict[0] = {PageNo{5}, Verdict::Kind::kRestoreSent};
  install.last = true;
  return {Request{PageNo{513}, 3, Access::kRead, true, 9},
          Fetch{PageNo{513}, 3, 60, Access::kWrite, NodeId{4}, TxnId{1}, 9, 2, true},
          Data{PageNo{513}, 3, Access::kWrite, TxnId{1}, 9, 2, true, true, true},
          Invalidate{PageNo{1}, 3, TxnId{2}}, InvalidateAck{PageNo{1}, TxnId{2}, true},
          Grant{PageNo{0}, 512, Access::kWrite, TxnId{3}, 4, 5, true}, Done{PageNo{1}, 0, Access::kRead, TxnId{3}, true, true},
          Release{PageNo{1}, 2, TxnId{3}}, Refuse{PageNo{1}, 2, RefuseReason::kPinned}, Evict{PageNo{1}, NodeId{7}, 3},
          OpenBlock{BlockNo{77}}, info, RangeQuiesce{RangeId{1}, {PageNo{2}, 3}, 4, RangeOp::kRecallShared},
          RangeQuiesced{RangeId{1}, set}, RangeDrop{RangeId{1}, {PageNo{2}, 3}, 4}, RangeDropped{RangeId{1}},
          RangeResume{RangeId{1}, RangeOp::kDrop}, ShardFreeze{ShardId{1}, NodeId{2}, 3}, report, install};
}

TEST(Codec, RoundTripOfEveryMessage) {
  ASSERT_EQ(samples().size(), std::variant_size_v<Message>);
  for (const Message& m : samples()) {
    std::array<std::byte, kMaxHeaderBytes> bytes{}, again{};
    const size_t n = encode({NodeId{3}, NodeId{200}, m}, bytes);
    auto decoded = decode({bytes.data(), n});
    ASSERT_TRUE(decoded.ok()) << to_string(m);
    EXPECT_EQ(decoded->src, NodeId{3});
    EXPECT_EQ(decoded->dst, NodeId{200});
    EXPECT_EQ(decoded->message.index(), m.index());
    ASSERT_EQ(encode(*decoded, again), n);
    EXPECT_EQ(bytes, again) << to_string(m);
    EXPECT_NE(to_string(m), "");
  }
}

TEST(Codec, EveryTruncationAndExtensionIsRefused) {
  for (const Message& m : samples()) {
    std::array<std::byte, kMaxHeaderBytes + 8> bytes{};
    const size_t n = encode({NodeId{3}, NodeId{200}, m}, {bytes.data(), kMaxHeaderBytes});
    for (size_t k = 0; k < n; ++k) EXPECT_FALSE(decode({bytes.data(), k}).ok());
    EXPECT_FALSE(decode({bytes.data(), n + 1}).ok());
  }
}

TEST(Codec, FieldsOutOfBoundsAreRefused) {
  const Message bad[] = {
      Request{PageNo{511}, 2, Access::kRead, false, 1},   Request{PageNo{1}, 0, Access::kRead, false, 1},
      Request{PageNo{1}, 1, Access{7}, false, 1},         Request{PageNo{~uint64_t{0}}, 1, Access::kRead, false, 1},
      Fetch{PageNo{511}, 1, 2, Access::kRead, {}, {}, 1, 0, true}, Grant{PageNo{1}, 512, Access::kRead, {}, 1, 0, true},
      Refuse{PageNo{1}, 1, RefuseReason{9}},              RangeResume{RangeId{1}, RangeOp{0}},
      Evict{PageNo{1}, NodeId{256}, 0},
  };
  for (const Message& m : bad) {
    std::array<std::byte, kMaxHeaderBytes> bytes{};
    const size_t n = encode_unchecked({NodeId{1}, NodeId{2}, m}, bytes);
    EXPECT_FALSE(decode({bytes.data(), n}).ok()) << to_string(m);
  }
}

TEST(Codec, FlippedBitsNeverCrash) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20000; ++round) {
    const auto all = samples();
    std::array<std::byte, kMaxHeaderBytes> bytes{};
    const size_t n = encode_unchecked({NodeId{3}, NodeId{2}, all[random() % all.size()]}, bytes);
    for (int k = 0; k < 3; ++k) bytes[random() % n] ^= std::byte(1u << (random() % 8));
    auto decoded = decode({bytes.data(), n});
    if (decoded.ok()) {
      EXPECT_NE(to_string(decoded->message), "");
    }
  }
}

}  // namespace
}  // namespace dsm::wire
