// SPDX-License-Identifier: Apache-2.0
// The in-process transports for tests: they must keep the same promises, and make trouble on demand.
#include <gtest/gtest.h>
#include <unistd.h>

#include "libdsm/os/clock.h"
#include "libdsm/transport/faulty.h"
#include "libdsm/transport/loopback.h"
#include "tests/unit/transport/recorder.h"

namespace dsm::transport::testing {
namespace {

struct Pair : ::testing::Test {
  Pair() {
    for (uint16_t i = 0; i < 2; ++i)
      node[i] = std::make_unique<FaultyTransport>(network.join(NodeId{i}, recorder[i]).value(), recorder[i]);
    node[0]->add_peer(NodeId{1}, {});
    node[1]->add_peer(NodeId{0}, {});
    settle();
    EXPECT_TRUE(recorder[0].is_up(NodeId{1}) && recorder[1].is_up(NodeId{0}));
  }
  void settle() {
    for (int i = 0; i < 10; ++i)
      for (auto& one : node) one->poll(0);
  }
  LoopbackNetwork network;
  Recorder recorder[2];
  std::unique_ptr<FaultyTransport> node[2];
};

TEST_F(Pair, OrderAndContent) {
  const auto big = pattern(20'000, 1);
  const Bytes slices[] = {Bytes(big).first(5000), Bytes(big).subspan(5000)};
  for (bool choose : {false, true}) {
    recorder[1].choose_places = choose;
    recorder[1].place_bytes = 7777;
    node[0]->send(NodeId{1}, as_bytes("a"));
    node[0]->send(NodeId{1}, as_bytes("b"));
    EXPECT_EQ(node[0]->send_data(NodeId{1}, as_bytes("d"), slices, 5), Sent::kTaken);
    settle();
    ASSERT_EQ(recorder[1].messages.size(), 2u);
    EXPECT_EQ(recorder[1].messages[0].second + recorder[1].messages[1].second, "ab");
    ASSERT_EQ(recorder[1].data.size(), 1u);
    EXPECT_EQ(recorder[1].data[0].bytes, big);
    EXPECT_EQ(recorder[1].data[0].placed, choose);
    recorder[1].messages.clear();
    recorder[1].data.clear();
  }
  EXPECT_TRUE(network.quiet());
}

TEST_F(Pair, NothingMovesOutsidePoll) {
  node[0]->send(NodeId{1}, as_bytes("a"));
  EXPECT_TRUE(recorder[1].messages.empty());
  EXPECT_FALSE(network.quiet());
}

TEST_F(Pair, DeathArrivesAfterTheLastMessage) {
  node[1]->send(NodeId{0}, as_bytes("bye"));
  node[1].reset();
  for (int i = 0; i < 3; ++i) node[0]->poll(0);
  EXPECT_EQ(recorder[0].messages.size(), 1u);
  EXPECT_EQ(recorder[0].down.size(), 1u);
  node[1] = std::make_unique<FaultyTransport>(network.join(NodeId{1}, recorder[1]).value(), recorder[1]);
}

TEST_F(Pair, PoisonClosesThePeer) {
  recorder[0].poison = "poison";
  for (auto text : {"poison", "more"}) node[1]->send(NodeId{0}, as_bytes(text));
  settle();
  EXPECT_TRUE(recorder[0].messages.empty());
  EXPECT_EQ(recorder[0].down.size(), 1u);
  EXPECT_EQ(recorder[1].down.size(), 1u);
}

TEST_F(Pair, Channel) {
  node[0]->open_channel(NodeId{1}, as_bytes("hi"), 3);
  node[0]->open_channel(NodeId{7}, as_bytes("hi"), 4);
  settle();
  ASSERT_EQ(recorder[1].channels.size(), 1u);
  ASSERT_TRUE(recorder[0].opened.at(3));
  EXPECT_FALSE(recorder[0].opened.at(4));
  char c = 0;
  ASSERT_EQ(::write(recorder[0].opened.at(3)->get(), "x", 1), 1);
  ASSERT_EQ(::read(recorder[1].channels[0].stream.get(), &c, 1), 1);
  EXPECT_EQ(c, 'x');
}

TEST_F(Pair, CutIsSeenAtBothEnds) {
  node[0]->cut(NodeId{1});
  EXPECT_TRUE(recorder[0].down.empty());
  settle();
  EXPECT_EQ(recorder[0].down.size(), 1u);
  EXPECT_EQ(recorder[1].down.size(), 1u);
}

TEST_F(Pair, SilenceSwallowsOneDirection) {
  node[0]->silence(NodeId{1}, true);
  node[0]->send(NodeId{1}, as_bytes("lost"));
  node[1]->send(NodeId{0}, as_bytes("heard"));
  settle();
  node[0]->silence(NodeId{1}, false);
  node[0]->send(NodeId{1}, as_bytes("back"));
  settle();
  EXPECT_EQ(recorder[0].messages.size(), 1u);
  ASSERT_EQ(recorder[1].messages.size(), 1u);
  EXPECT_EQ(recorder[1].messages[0].second, "back");
}

TEST_F(Pair, DelayKeepsTheOrderOfAClassOnly) {
  constexpr uint64_t kDelayNs = 5'000'000;
  node[0]->delay(NodeId{1}, kDelayNs, 0);
  const TimeNs begin = os::now_ns();
  node[0]->send(NodeId{1}, as_bytes("first"));
  node[0]->delay(NodeId{1}, 0, 0);
  node[0]->send(NodeId{1}, as_bytes("second"));
  node[0]->send_data(NodeId{1}, as_bytes("data"), {}, 0);
  node[1]->poll(0);
  EXPECT_EQ(recorder[1].data.size(), 1u);
  EXPECT_TRUE(recorder[1].messages.empty());
  while (recorder[1].messages.size() < 2 && os::now_ns() - begin < 5'000'000'000) {
    node[0]->poll(1'000'000);
    node[1]->poll(0);
  }
  EXPECT_GE(os::now_ns() - begin, kDelayNs);
  ASSERT_EQ(recorder[1].messages.size(), 2u);
  EXPECT_EQ(recorder[1].messages[0].second, "first");
}

}  // namespace
}  // namespace dsm::transport::testing
