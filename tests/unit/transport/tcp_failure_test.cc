// SPDX-License-Identifier: Apache-2.0
// What goes wrong: dead peers at each stage, strangers, hostile bytes. One peer's trouble must stay its own.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libdsm/os/clock.h"
#include "libdsm/os/socket.h"
#include "tests/unit/transport/recorder.h"

namespace dsm::transport::testing {
namespace {

using std::chrono::milliseconds;

class TcpFailure : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Reactors, TcpFailure, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "epoll" : "io_uring"; });

// A socket of a stranger, connected to `node`.
os::Fd stranger_at(Node& node) {
  auto fd = os::tcp_connect({node.at.address, node.at.port});
  EXPECT_TRUE(fd);
  pollfd wait{fd->get(), POLLOUT, 0};
  EXPECT_EQ(::poll(&wait, 1, 5000), 1);
  EXPECT_EQ(os::connect_result(fd->get()), 0);
  return std::move(*fd);
}

void write_all(int fd, Bytes bytes) {
  ASSERT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

// A peer that has authenticated properly and then sends what the test likes. It is node 1 of a mesh whose node 0 is
// the victim.
struct RoguePeer {
  RoguePeer(Node& victim, bool epoll) : node(1, 1, epoll) {
    for (Purpose purpose : {Purpose::kMessages, Purpose::kData}) {
      auto reactor = os::make_reactor();
      EXPECT_TRUE(reactor);
      bool done = false;
      const LinkHello hello{kLinkMagic, kLinkVersion, static_cast<uint8_t>(purpose), 0, 1, victim.id.value};
      auto socket = os::tcp_connect({victim.at.address, victim.at.port});
      EXPECT_TRUE(socket);
      Handshake shake(**reactor, *node.authenticator, std::move(*socket), hello, {}, os::now_ns() + 5'000'000'000,
                      [&](Handshake&, Result<Handshake::Outcome> outcome) {
                        done = true;
                        EXPECT_TRUE(outcome);
                        if (outcome) (purpose == Purpose::kData ? data : messages) = std::move(outcome->fd);
                      });
      for (int i = 0; i < 1000 && !done; ++i) {
        (*reactor)->run(1'000'000);
        victim.transport->poll(1'000'000);
      }
      EXPECT_TRUE(done);
    }
    victim.transport->add_peer(NodeId{1}, {"127.0.0.1", 1, "rogue"});
    EXPECT_TRUE(run_until({&victim}, [&] { return victim.recorder.is_up(NodeId{1}); }));
  }
  Node node;
  os::Fd messages, data;
};

std::vector<std::byte> frame(uint32_t header_bytes, uint32_t payload_bytes, size_t follow) {
  const FrameHead head{header_bytes, payload_bytes};
  const Bytes raw = std::as_bytes(std::span(&head, 1));
  std::vector<std::byte> bytes(raw.begin(), raw.end());
  bytes.resize(bytes.size() + follow, std::byte{'x'});
  return bytes;
}

TEST_P(TcpFailure, ClosedPeerIsReportedOnceAndOthersGoOn) {
  auto nodes = make_mesh(3, GetParam());
  nodes[2]->transport->send(NodeId{0}, as_bytes("last words"));
  nodes[2].reset();
  auto& first = *nodes[0];
  auto& second = *nodes[1];
  ASSERT_TRUE(run_until({&first, &second},
                        [&] { return first.recorder.is_down(NodeId{2}) && second.recorder.is_down(NodeId{2}); }));
  ASSERT_EQ(first.recorder.messages.size(), 1u);  // what was sent before arrived first
  EXPECT_NE(first.recorder.down[0].second.what.find("node 2 (here, 127.0.0.1:"), std::string::npos)
      << first.recorder.down[0].second.what;
  first.transport->send(NodeId{2}, as_bytes("to the dead"));
  first.transport->send(NodeId{1}, as_bytes("still here"));
  ASSERT_TRUE(run_until({&first, &second}, [&] { return !second.recorder.messages.empty(); }));
  EXPECT_EQ(first.recorder.down.size(), 1u);
}

TEST_P(TcpFailure, DeathInTheMiddleOfAMessage) {
  Node victim(0, 1, GetParam());
  RoguePeer rogue(victim, GetParam());
  write_all(rogue.messages.get(), frame(100, 0, 50));
  rogue.messages.reset();
  ASSERT_TRUE(run_until({&victim}, [&] { return victim.recorder.is_down(NodeId{1}); }));
  EXPECT_NE(victim.recorder.down[0].second.what.find("in the middle of a message"), std::string::npos);
  EXPECT_TRUE(victim.recorder.messages.empty());
}

TEST_P(TcpFailure, DeathInTheMiddleOfAPayload) {
  Node victim(0, 1, GetParam());
  victim.recorder.choose_places = true;
  RoguePeer rogue(victim, GetParam());
  write_all(rogue.data.get(), frame(10, 1 << 20, 10 + 70'000));
  ASSERT_FALSE(run_until({&victim}, [&] { return !victim.recorder.down.empty(); }, milliseconds(20)));
  rogue.data.reset();
  ASSERT_TRUE(run_until({&victim}, [&] { return victim.recorder.is_down(NodeId{1}); }));
  EXPECT_TRUE(victim.recorder.data.empty());
}

TEST_P(TcpFailure, MessageInPiecesIsStillOneMessage) {
  Node victim(0, 1, GetParam());
  RoguePeer rogue(victim, GetParam());
  const auto bytes = frame(300, 0, 300);
  for (size_t at = 0; at < bytes.size(); at += 7) {
    write_all(rogue.messages.get(), Bytes(bytes).subspan(at, std::min<size_t>(7, bytes.size() - at)));
    victim.transport->poll(at % 14 ? 0 : 1'000'000);  // both ways of receiving
  }
  ASSERT_TRUE(run_until({&victim}, [&] { return !victim.recorder.messages.empty(); }));
  EXPECT_EQ(victim.recorder.messages[0].second, std::string(300, 'x'));
}

TEST_P(TcpFailure, HostileLengthsCloseOnlyThatPeer) {
  struct Case {
    bool on_data;
    uint32_t header, payload;
  };
  const Case cases[] = {{false, 0, 0},         {false, 1u << 30, 0}, {false, 1025, 0},           {false, 8, 1},
                        {false, 8, 0xffffffff}, {true, 0, 4096},      {true, 8, (2u << 20) + 1}, {true, 0xffffffff, 8}};
  for (const Case& c : cases) {
    Node victim(0, 1, GetParam());
    Node honest(2, 1, GetParam());
    victim.transport->add_peer(honest.id, honest.at);
    honest.transport->add_peer(victim.id, victim.at);
    ASSERT_TRUE(run_until({&victim, &honest}, [&] { return victim.recorder.is_up(honest.id); }));
    RoguePeer rogue(victim, GetParam());
    write_all((c.on_data ? rogue.data : rogue.messages).get(), frame(c.header, c.payload, 64));
    ASSERT_TRUE(run_until({&victim}, [&] { return victim.recorder.is_down(NodeId{1}); }));
    EXPECT_EQ(victim.recorder.down.size(), 1u);
    EXPECT_NE(victim.recorder.down[0].second.what.find("limit"), std::string::npos);
    honest.transport->send(victim.id, as_bytes("fine"));
    ASSERT_TRUE(run_until({&victim, &honest}, [&] { return !victim.recorder.messages.empty(); }));
  }
}

TEST_P(TcpFailure, WhatTheReceiverRejectsClosesThePeer) {
  auto nodes = make_mesh(2, GetParam());
  nodes[0]->recorder.poison = "poison";
  for (auto text : {"good", "poison", "more"}) nodes[1]->transport->send(nodes[0]->id, as_bytes(text));
  ASSERT_TRUE(run_until(all_of(nodes), [&] {
    return nodes[0]->recorder.is_down(NodeId{1}) && nodes[1]->recorder.is_down(NodeId{0});
  }));
  EXPECT_EQ(nodes[0]->recorder.messages.size(), 1u);
  EXPECT_NE(nodes[0]->recorder.down[0].second.what.find("sent poison"), std::string::npos);
}

TEST_P(TcpFailure, ClosingAPeerInsideItsOwnMessage) {
  auto nodes = make_mesh(3, GetParam());
  nodes[0]->recorder.react = [&](NodeId source, const std::string&) { nodes[0]->transport->close_peer(source); };
  for (int i = 0; i < 10; ++i) nodes[1]->transport->send(nodes[0]->id, as_bytes("m"));
  ASSERT_TRUE(run_until(all_of(nodes), [&] { return nodes[1]->recorder.is_down(NodeId{0}); }));
  EXPECT_EQ(nodes[0]->recorder.messages.size(), 1u);
  EXPECT_TRUE(nodes[0]->recorder.down.empty());
}

TEST_P(TcpFailure, BorrowedPayloadComesBackWhenThePeerDies) {
  auto nodes = make_mesh(2, GetParam());
  const auto bytes = pattern(2 << 20, 1);
  const Bytes slices[] = {bytes};
  size_t pending = 0;
  for (uint64_t token = 1; token <= 20; ++token)
    pending += nodes[0]->transport->send_data(nodes[1]->id, as_bytes("d"), slices, token) == Sent::kPending;
  ASSERT_GT(pending, 0u);
  nodes[1].reset();
  ASSERT_TRUE(run_until({nodes[0].get()}, [&] {
    return nodes[0]->recorder.is_down(NodeId{1}) && nodes[0]->recorder.sent.size() == pending;
  }));
}

TEST_P(TcpFailure, PeerThatDoesNotReadIsClosedAtTheLimit) {
  constexpr uint64_t kLimit = 8 << 20;
  Node victim(0, 1, GetParam(), kLimit);
  RoguePeer rogue(victim, GetParam());  // reads nothing
  const auto bytes = pattern(1 << 20, 1);
  const Bytes slices[] = {bytes};
  for (int i = 0; i < 64; ++i) victim.transport->send_data(NodeId{1}, as_bytes("d"), slices, 0);
  ASSERT_TRUE(run_until({&victim}, [&] { return victim.recorder.is_down(NodeId{1}); }));
  EXPECT_NE(victim.recorder.down[0].second.what.find("unread"), std::string::npos);
}

TEST_P(TcpFailure, WrongSecretIsRefusedAtBothEnds) {
  Node origin(0, 1, GetParam());
  Node impostor(1, 2, GetParam());
  origin.transport->add_peer(impostor.id, impostor.at);
  impostor.transport->add_peer(origin.id, origin.at);
  ASSERT_TRUE(run_until({&origin, &impostor}, [&] {
    return impostor.recorder.is_down(origin.id) && !origin.recorder.strangers.empty();
  }));
  EXPECT_NE(impostor.recorder.down[0].second.what.find("secret"), std::string::npos);
  EXPECT_TRUE(origin.recorder.up.empty());
  EXPECT_TRUE(origin.recorder.down.empty());  // it may still come
}

TEST_P(TcpFailure, StrangersAreTurnedAwayWithOneLineEach) {
  Node node(0, 1, GetParam());
  auto garbage = stranger_at(node);
  write_all(garbage.get(), as_bytes("GET / HTTP/1.1\r\nHost: example\r\n\r\n"));
  auto silent = stranger_at(node);
  auto wrong_version = stranger_at(node);
  const uint32_t head[2] = {1, sizeof(LinkHello)};
  const LinkHello hello{kLinkMagic, 99, 1, 0, 1, 0};
  write_all(wrong_version.get(), std::as_bytes(std::span(head)));
  write_all(wrong_version.get(), std::as_bytes(std::span(&hello, 1)));
  ASSERT_TRUE(run_until({&node}, [&] { return node.recorder.strangers.size() == 2; }));
  silent.reset();
  ASSERT_TRUE(run_until({&node}, [&] { return node.recorder.strangers.size() == 3; }));
  EXPECT_FALSE(run_until({&node}, [&] { return node.recorder.strangers.size() > 3; }, milliseconds(20)));
}

TEST_P(TcpFailure, SilentStrangersExpireAndAreBounded) {
  Node node(0, 1, GetParam(), 1 << 20, {.introduction_ns = 50'000'000, .strangers = 4});
  std::vector<os::Fd> silent;
  for (int i = 0; i < 6; ++i) silent.push_back(stranger_at(node));
  ASSERT_TRUE(run_until({&node}, [&] { return node.recorder.strangers.size() == 6; }));
  const auto& told = node.recorder.strangers;
  EXPECT_EQ(std::count_if(told.begin(), told.end(), [](auto& t) { return t.find("too many") != t.npos; }), 2);
  EXPECT_EQ(std::count_if(told.begin(), told.end(), [](auto& t) { return t.find("in time") != t.npos; }), 4);
}

TEST_P(TcpFailure, UnreachablePeerIsNamedAtTheDeadline) {
  Node node(1, 1, GetParam(), 1 << 20, {.dial_ns = 60'000'000});
  node.transport->add_peer(NodeId{0}, {"127.0.0.1", 1, "far"});
  ASSERT_TRUE(run_until({&node}, [&] { return node.recorder.is_down(NodeId{0}); }));
  EXPECT_EQ(node.recorder.down.size(), 1u);
  EXPECT_EQ(node.recorder.down[0].second.what, "node 0 (far, 127.0.0.1:1): cannot connect: Connection refused");
}

TEST_P(TcpFailure, PeerThatListensLateIsReached) {
  auto late = std::make_unique<Node>(0, 1, GetParam());
  const Endpoint at = late->at;
  late.reset();
  Node early(1, 1, GetParam());
  early.transport->add_peer(NodeId{0}, at);
  run_until({&early}, [] { return false; }, milliseconds(30));
  Node again(0, 1, GetParam());  // at an address of its own; take the old one over
  TcpConfig config{.self = NodeId{0}};
  again.transport = TcpTransport::make(config, *again.authenticator, again.recorder).value();
  ASSERT_TRUE(again.transport->listen(at));
  again.transport->add_peer(early.id, early.at);
  EXPECT_TRUE(run_until({&early, &again}, [&] { return early.recorder.is_up(NodeId{0}) && again.recorder.is_up(early.id); }));
}

TEST_P(TcpFailure, SecondConnectionOfTheSameNodeIsRefused) {
  auto nodes = make_mesh(2, GetParam());
  Node twin(1, 1, GetParam());
  twin.transport->add_peer(NodeId{0}, nodes[0]->at);
  ASSERT_TRUE(run_until({nodes[0].get(), &twin}, [&] { return twin.recorder.is_down(NodeId{0}); }));
  EXPECT_NE(twin.recorder.down[0].second.what.find("connected already"), std::string::npos);
  nodes[1]->transport->send(NodeId{0}, as_bytes("original"));
  ASSERT_TRUE(run_until(all_of(nodes), [&] { return !nodes[0]->recorder.messages.empty(); }));
}

TEST_P(TcpFailure, ClosedPeerCanComeBack) {
  auto nodes = make_mesh(2, GetParam());
  nodes[0]->transport->close_peer(NodeId{1});
  ASSERT_TRUE(run_until(all_of(nodes), [&] { return nodes[1]->recorder.is_down(NodeId{0}); }));
  nodes[0]->transport->add_peer(NodeId{1}, nodes[1]->at);
  nodes[1]->transport->add_peer(NodeId{0}, nodes[0]->at);
  ASSERT_TRUE(run_until(all_of(nodes), [&] { return nodes[0]->recorder.up.size() == 2 && nodes[1]->recorder.up.size() == 2; }));
  nodes[1]->transport->send(NodeId{0}, as_bytes("again"));
  EXPECT_TRUE(run_until(all_of(nodes), [&] { return !nodes[0]->recorder.messages.empty(); }));
}

}  // namespace
}  // namespace dsm::transport::testing
