// SPDX-License-Identifier: Apache-2.0
// Traffic between healthy peers, on both reactors.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/transport/recorder.h"

namespace dsm::transport::testing {
namespace {

class TcpMesh : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Reactors, TcpMesh, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "epoll" : "io_uring"; });

TEST_P(TcpMesh, MessagesArriveInOrderFromEverybody) {
  auto nodes = make_mesh(4, GetParam());
  constexpr int kEach = 2000;
  for (int i = 0; i < kEach; ++i)
    for (auto& from : nodes)
      for (auto& to : nodes)
        if (from != to) from->transport->send(to->id, as_bytes("m" + std::to_string(i)));
  ASSERT_TRUE(run_until(all_of(nodes), [&] {
    return std::all_of(nodes.begin(), nodes.end(), [](auto& n) { return n->recorder.messages.size() == 3 * kEach; });
  }));
  for (auto& node : nodes) {
    std::map<NodeId, int> next;
    for (auto& [source, text] : node->recorder.messages) EXPECT_EQ(text, "m" + std::to_string(next[source]++));
  }
}

TEST_P(TcpMesh, DataOfEverySizeArrivesWhole) {
  auto nodes = make_mesh(2, GetParam());
  const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 65536, 256 << 10, 2 << 20};
  for (bool choose : {false, true}) {
    auto& seen = nodes[1]->recorder;
    seen.data.clear();
    seen.choose_places = choose;
    seen.place_bytes = 12345;
    for (size_t size : sizes) {
      const auto bytes = pattern(size, static_cast<unsigned>(size));
      const Bytes slices[] = {Bytes(bytes).first(size / 3), Bytes(bytes).subspan(size / 3)};
      nodes[0]->transport->send_data(nodes[1]->id, as_bytes(std::to_string(size)), slices, 0);
    }
    ASSERT_TRUE(run_until(all_of(nodes), [&] { return seen.data.size() == std::size(sizes); }));
    for (size_t i = 0; i < std::size(sizes); ++i) {
      EXPECT_EQ(seen.data[i].header, std::to_string(sizes[i]));
      EXPECT_EQ(seen.data[i].bytes, pattern(sizes[i], static_cast<unsigned>(sizes[i]))) << sizes[i];
      EXPECT_EQ(seen.data[i].placed, choose && sizes[i] > 4096);
    }
  }
}

TEST_P(TcpMesh, BorrowedPayloadIsReportedOnceAndInOrder) {
  auto nodes = make_mesh(2, GetParam());
  const auto bytes = pattern(2 << 20, 7);
  const Bytes slices[] = {bytes};
  std::vector<uint64_t> pending;
  for (uint64_t token = 1; token <= 20; ++token)  // far more than the socket buffers hold
    if (nodes[0]->transport->send_data(nodes[1]->id, as_bytes("d"), slices, token) == Sent::kPending)
      pending.push_back(token);
  EXPECT_FALSE(pending.empty());
  EXPECT_TRUE(nodes[0]->recorder.sent.empty());  // nothing is called back from send
  EXPECT_GT(nodes[0]->transport->queued_bytes(nodes[1]->id), 0u);
  ASSERT_TRUE(run_until(all_of(nodes), [&] {
    return nodes[1]->recorder.data.size() == 20 && nodes[0]->recorder.sent.size() == pending.size();
  }));
  EXPECT_EQ(nodes[0]->recorder.sent, pending);
  EXPECT_EQ(nodes[0]->transport->queued_bytes(nodes[1]->id), 0u);
  EXPECT_EQ(nodes[0]->transport->counters().payload_bytes_copied, 0u);
  for (auto& data : nodes[1]->recorder.data) EXPECT_EQ(data.bytes, bytes);
}

TEST_P(TcpMesh, MessagesOvertakeBulkData) {
  auto nodes = make_mesh(2, GetParam());
  const auto bytes = pattern(2 << 20, 7);
  const Bytes slices[] = {bytes};
  for (int i = 0; i < 10; ++i) nodes[0]->transport->send_data(nodes[1]->id, as_bytes("d"), slices, 0);
  nodes[0]->transport->send(nodes[1]->id, as_bytes("quick"));
  // Only the receiver runs: what is still queued at the sender cannot arrive, the message must.
  ASSERT_TRUE(run_until({nodes[1].get()}, [&] { return !nodes[1]->recorder.messages.empty(); }));
  EXPECT_LT(nodes[1]->recorder.data.size(), 10u);
}

TEST_P(TcpMesh, PlacedPayloadIsNotCopied) {
  auto nodes = make_mesh(2, GetParam());
  nodes[1]->recorder.choose_places = true;
  constexpr size_t kRun = 256 << 10;
  const auto bytes = pattern(kRun, 3);
  const Bytes slices[] = {bytes};
  constexpr int kRuns = 32;
  for (int i = 0; i < kRuns; ++i) {
    nodes[0]->transport->send_data(nodes[1]->id, as_bytes("run"), slices, 0);
    ASSERT_TRUE(run_until(all_of(nodes), [&] { return nodes[1]->recorder.data.size() == static_cast<size_t>(i) + 1; }));
  }
  const auto counters = nodes[1]->transport->counters(nodes[0]->id);
  EXPECT_EQ(counters.payload_bytes_in, kRun * kRuns);
  EXPECT_EQ(counters.data_in, static_cast<uint64_t>(kRuns));
  EXPECT_LT(counters.payload_bytes_copied, kRun * kRuns / 20);  // what came in together with a header
}

TEST_P(TcpMesh, RepliesFromInsideTheReceiver) {
  auto nodes = make_mesh(2, GetParam());
  int rounds = 0;
  for (auto& node : nodes)
    node->recorder.react = [&, self = node.get()](NodeId source, const std::string& text) {
      if (++rounds < 1000) self->transport->send(source, as_bytes(text));
    };
  nodes[0]->transport->send(nodes[1]->id, as_bytes("ball"));
  EXPECT_TRUE(run_until(all_of(nodes), [&] { return rounds >= 1000; }));
}

TEST_P(TcpMesh, BlockedPollWakesForMessagesAndWatchedDescriptors) {
  auto nodes = make_mesh(2, GetParam());
  os::Fd event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  int fired = 0;
  const WatchId id = nodes[0]->transport->watch(event.get(), POLLIN, [&](uint32_t revents) {
    EXPECT_TRUE(revents & POLLIN);
    uint64_t value;
    EXPECT_EQ(::read(event.get(), &value, sizeof value), 8);
    ++fired;
  });
  for (int round = 0; round < 3; ++round) {
    std::thread later([&] {
      const uint64_t one = 1;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      EXPECT_EQ(::write(event.get(), &one, sizeof one), 8);
    });
    for (int i = 0; i < 100 && fired == round; ++i) nodes[0]->transport->poll(1'000'000'000);
    EXPECT_EQ(fired, round + 1);
    later.join();
    std::string text = "wake" + std::to_string(round);
    nodes[1]->transport->send(nodes[0]->id, as_bytes(text));
    auto& messages = nodes[0]->recorder.messages;
    for (int i = 0; i < 100 && messages.size() == static_cast<size_t>(round); ++i)
      nodes[0]->transport->poll(1'000'000'000);
    ASSERT_EQ(messages.size(), static_cast<size_t>(round) + 1);
    EXPECT_EQ(messages.back().second, text);
  }
  nodes[0]->transport->unwatch(id);
  const uint64_t one = 1;
  EXPECT_EQ(::write(event.get(), &one, sizeof one), 8);
  nodes[0]->transport->poll(2'000'000);
  EXPECT_EQ(fired, 3);
}

TEST_P(TcpMesh, PollSleepsUntilItsTimeout) {
  auto nodes = make_mesh(2, GetParam());
  while (nodes[0]->transport->poll(0) > 0) {}
  // A signal (or the kernel's work for the ring of a former test) may end a wait early, but not again and again.
  const auto begin = std::chrono::steady_clock::now();
  auto waited = begin - begin;
  int waits = 0;
  for (; waited < std::chrono::milliseconds(60) && waits < 20; ++waits) {
    EXPECT_EQ(nodes[0]->transport->poll(20'000'000), 0u);
    waited = std::chrono::steady_clock::now() - begin;
  }
  EXPECT_GE(waited, std::chrono::milliseconds(60));
  EXPECT_LE(waits, 6);
  EXPECT_LT(waited, std::chrono::seconds(5));
}

TEST_P(TcpMesh, ChannelsInBothDirections) {
  auto nodes = make_mesh(2, GetParam());
  for (auto [from, to] : {std::pair{0, 1}, std::pair{1, 0}}) {
    Node& opener = *nodes[static_cast<size_t>(from)];
    Node& other = *nodes[static_cast<size_t>(to)];
    opener.transport->open_channel(other.id, as_bytes("thread 5"), 77);
    ASSERT_TRUE(run_until(all_of(nodes), [&] {
      return opener.recorder.opened.contains(77) && !other.recorder.channels.empty();
    }));
    auto& mine = opener.recorder.opened.at(77);
    ASSERT_TRUE(mine);
    auto& theirs = other.recorder.channels.back();
    EXPECT_EQ(theirs.greeting, "thread 5");
    EXPECT_EQ(theirs.source, opener.id);
    char text[6] = {};
    ASSERT_EQ(::write(mine->get(), "hello", 5), 5);
    ASSERT_EQ(::read(theirs.stream.get(), text, 5), 5);  // blocking mode
    EXPECT_STREQ(text, "hello");
  }
}

TEST_P(TcpMesh, ChannelToNobodyFails) {
  auto nodes = make_mesh(2, GetParam());
  nodes[0]->transport->open_channel(NodeId{9}, as_bytes("x"), 1);
  EXPECT_TRUE(nodes[0]->recorder.opened.empty());
  ASSERT_TRUE(run_until(all_of(nodes), [&] { return nodes[0]->recorder.opened.contains(1); }));
  EXPECT_FALSE(nodes[0]->recorder.opened.at(1));
}

}  // namespace
}  // namespace dsm::transport::testing
