// SPDX-License-Identifier: Apache-2.0
// Encrypted peers: traffic of every size in both directions, channels through the relay, and what an enemy in the middle
// can do, which is to end a connection and nothing else.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "tests/unit/transport/meddler.h"

namespace dsm::transport::testing {
namespace {

constexpr Belief kTls{.tls = true};

class TlsMesh : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Reactors, TlsMesh, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "epoll" : "io_uring"; });

Node tls_node(unsigned id, unsigned secret, bool epoll, const Belief& belief = kTls) {
  return Node(id, secret, epoll, 256u << 20, Connector::Limits{}, belief);
}

TEST_P(TlsMesh, MessagesArriveInOrderFromEverybody) {
  auto nodes = make_mesh(3, GetParam(), kTls);
  constexpr int kEach = 1000;
  for (int i = 0; i < kEach; ++i)
    for (auto& from : nodes)
      for (auto& to : nodes)
        if (from != to) from->transport->send(to->id, as_bytes("m" + std::to_string(i)));
  ASSERT_TRUE(run_until(all_of(nodes), [&] {
    return std::all_of(nodes.begin(), nodes.end(), [](auto& n) { return n->recorder.messages.size() == 2 * kEach; });
  }));
  for (auto& node : nodes) {
    std::map<NodeId, int> next;
    for (auto& [source, text] : node->recorder.messages) EXPECT_EQ(text, "m" + std::to_string(next[source]++));
  }
}

// Also with keys that change every few records, while both directions are under way.
TEST_P(TlsMesh, DataOfEverySizeArrivesWholeInBothDirections) {
  const size_t sizes[] = {0, 1, 4095, 4096, 4097, 16383, 16384, 16385, 65536, 256 << 10, 2 << 20};
  for (const Belief& belief : {kTls, Belief{.tls = true, .rekey_bytes = 40'000}}) {
    for (bool choose : {false, true}) {
      auto nodes = make_mesh(2, GetParam(), belief);
      for (auto& node : nodes) {
        node->recorder.choose_places = choose;
        node->recorder.place_bytes = 12345;
      }
      for (size_t size : sizes) {
        const auto bytes = pattern(size, static_cast<unsigned>(size));
        const Bytes slices[] = {Bytes(bytes).first(size / 3), Bytes(bytes).subspan(size / 3)};
        for (auto [from, to] : {std::pair{0, 1}, std::pair{1, 0}})
          EXPECT_EQ(nodes[static_cast<size_t>(from)]->transport->send_data(nodes[static_cast<size_t>(to)]->id,
                                                                           as_bytes(std::to_string(size)), slices, 9),
                    Sent::kTaken);  // sealed: the memory is free again, and nothing is reported later
      }
      ASSERT_TRUE(run_until(all_of(nodes), [&] {
        return nodes[0]->recorder.data.size() == std::size(sizes) && nodes[1]->recorder.data.size() == std::size(sizes);
      }));
      for (auto& node : nodes) {
        EXPECT_TRUE(node->recorder.sent.empty());
        for (size_t i = 0; i < std::size(sizes); ++i) {
          EXPECT_EQ(node->recorder.data[i].header, std::to_string(sizes[i]));
          EXPECT_EQ(node->recorder.data[i].bytes, pattern(sizes[i], static_cast<unsigned>(sizes[i]))) << sizes[i];
          EXPECT_EQ(node->recorder.data[i].placed, choose && sizes[i] > 4096);
        }
      }
    }
  }
}

TEST_P(TlsMesh, SleepingReceiverIsWoken) {
  auto nodes = make_mesh(2, GetParam(), kTls);
  while (nodes[0]->transport->poll(1'000'000) > 0) {}  // asleep: the reactor receives
  for (int i = 0; i < 50; ++i) {
    nodes[1]->transport->send(nodes[0]->id, as_bytes(std::to_string(i)));
    for (int turn = 0; turn < 100 && nodes[0]->recorder.messages.size() <= static_cast<size_t>(i); ++turn)
      nodes[0]->transport->poll(100'000'000);
    ASSERT_EQ(nodes[0]->recorder.messages.size(), static_cast<size_t>(i) + 1);
  }
}

TEST_P(TlsMesh, PeerThatDoesNotReadIsClosedAtTheLimit) {
  Node slow = tls_node(1, 1, GetParam());
  Node victim(0, 1, GetParam(), 8 << 20, Connector::Limits{}, kTls);
  victim.transport->add_peer(slow.id, slow.at);
  slow.transport->add_peer(victim.id, victim.at);
  ASSERT_TRUE(run_until({&victim, &slow}, [&] { return victim.recorder.is_up(slow.id); }));
  const auto bytes = pattern(1 << 20, 1);
  const Bytes slices[] = {bytes};
  for (int i = 0; i < 64; ++i) victim.transport->send_data(slow.id, as_bytes("d"), slices, 0);
  ASSERT_TRUE(run_until({&victim}, [&] { return victim.recorder.is_down(slow.id); }));
  EXPECT_NE(victim.recorder.down[0].second.what.find("unread"), std::string::npos);
}

TEST_P(TlsMesh, ClosedPeerIsReportedOnceAndWhatItSaidBeforeCounts) {
  auto nodes = make_mesh(2, GetParam(), kTls);
  nodes[1]->transport->send(NodeId{0}, as_bytes("last words"));
  nodes[1]->transport->close_peer(NodeId{0});
  ASSERT_TRUE(run_until({nodes[0].get()}, [&] { return nodes[0]->recorder.is_down(NodeId{1}); }));
  ASSERT_EQ(nodes[0]->recorder.messages.size(), 1u);
  EXPECT_EQ(nodes[0]->recorder.down.size(), 1u);
  EXPECT_NE(nodes[0]->recorder.down[0].second.what.find("closed the connection"), std::string::npos);
}

TEST_P(TlsMesh, WrongSecretIsRefusedAtBothEnds) {
  Node origin = tls_node(0, 1, GetParam()), impostor = tls_node(1, 2, GetParam());
  origin.transport->add_peer(impostor.id, impostor.at);
  impostor.transport->add_peer(origin.id, origin.at);
  ASSERT_TRUE(run_until({&origin, &impostor}, [&] {
    return impostor.recorder.is_down(origin.id) && origin.recorder.strangers.size() >= 2;
  }));
  EXPECT_NE(impostor.recorder.down[0].second.what.find("secret"), std::string::npos) << impostor.recorder.down[0].second.what;
  for (const auto& line : origin.recorder.strangers) EXPECT_NE(line.find("secret"), std::string::npos) << line;
  EXPECT_TRUE(origin.recorder.up.empty());
}

TEST_P(TlsMesh, PlainAndEncryptedDoNotMix) {
  for (bool origin_encrypts : {false, true}) {
    Node origin = tls_node(0, 1, GetParam(), {.tls = origin_encrypts});
    Node other = tls_node(1, 1, GetParam(), {.tls = !origin_encrypts});
    origin.transport->add_peer(other.id, other.at);
    other.transport->add_peer(origin.id, origin.at);
    ASSERT_TRUE(run_until({&origin, &other}, [&] {
      return other.recorder.is_down(origin.id) && !origin.recorder.strangers.empty();
    }));
    EXPECT_NE(origin.recorder.strangers[0].find("--encrypt"), std::string::npos) << origin.recorder.strangers[0];
    EXPECT_NE(other.recorder.down[0].second.what.find("--encrypt"), std::string::npos);
  }
}

// Two nodes that meet through a meddler.
struct Meeting {
  explicit Meeting(bool epoll) : origin(tls_node(0, 1, epoll)), other(tls_node(1, 1, epoll)), meddler(origin.at) {}
  void meet() {
    origin.transport->add_peer(other.id, other.at);
    other.transport->add_peer(origin.id, meddler.at());
  }
  bool until(const std::function<bool()>& done) {
    return run_until({&origin, &other}, [&] {
      meddler.pump();
      return done();
    });
  }
  Node origin, other;
  Meddler meddler;
};

TEST_P(TlsMesh, ListenerSeesNothingOfWhatIsSaid) {
  Meeting m(GetParam());
  const std::string words = "the words that nobody else may read, ";
  std::vector<std::byte> seen;
  m.meddler.meddle = [&](size_t, bool, std::vector<std::byte>& bytes) {
    seen.insert(seen.end(), bytes.begin(), bytes.end());
    return true;
  };
  m.meet();
  ASSERT_TRUE(m.until([&] { return m.origin.recorder.is_up(m.other.id) && m.other.recorder.is_up(m.origin.id); }));
  m.other.transport->send(m.origin.id, as_bytes(words));
  ASSERT_TRUE(m.until([&] { return !m.origin.recorder.messages.empty(); }));
  EXPECT_EQ(m.origin.recorder.messages[0].second, words);
  const std::string all = as_text(seen);
  EXPECT_GT(all.size(), words.size());
  EXPECT_EQ(all.find(words.substr(0, 8)), std::string::npos);
}

TEST_P(TlsMesh, ChangedRepeatedOrMissingBytesEndTheConnection) {
  enum class Deed { kFlip, kRepeat, kDrop };
  for (Deed deed : {Deed::kFlip, Deed::kRepeat, Deed::kDrop}) {
    Meeting m(GetParam());
    bool armed = false;
    m.meddler.meddle = [&](size_t, bool, std::vector<std::byte>& bytes) {
      if (!armed) return true;
      armed = false;
      const std::vector<std::byte> original = bytes;
      if (deed == Deed::kFlip) bytes[bytes.size() / 2] ^= std::byte{1};
      else if (deed == Deed::kRepeat) bytes.insert(bytes.end(), original.begin(), original.end());
      else bytes.clear();
      return true;
    };
    m.meet();
    ASSERT_TRUE(m.until([&] { return m.origin.recorder.is_up(m.other.id) && m.other.recorder.is_up(m.origin.id); }));
    armed = true;
    m.other.transport->send(m.origin.id, as_bytes("first"));
    ASSERT_TRUE(m.until([&] { return !armed; }));
    m.other.transport->send(m.origin.id, as_bytes("second"));
    ASSERT_TRUE(m.until([&] { return m.origin.recorder.is_down(m.other.id); }));
    EXPECT_NE(m.origin.recorder.down[0].second.what.find("cannot be decrypted"), std::string::npos)
        << m.origin.recorder.down[0].second.what;
    EXPECT_LE(m.origin.recorder.messages.size(), deed == Deed::kRepeat ? 1u : 0u);
  }
}

TEST_P(TlsMesh, ConnectionCutInTheMiddleOfAPayload) {
  Meeting m(GetParam());
  size_t passed = 0;
  bool armed = false;
  m.meddler.meddle = [&](size_t, bool to_dialer, std::vector<std::byte>& bytes) {
    if (armed && to_dialer) passed += bytes.size();
    return passed < 200'000;
  };
  m.meet();
  ASSERT_TRUE(m.until([&] { return m.origin.recorder.is_up(m.other.id) && m.other.recorder.is_up(m.origin.id); }));
  armed = true;
  const auto bytes = pattern(2 << 20, 3);
  const Bytes slices[] = {bytes};
  m.origin.transport->send_data(m.other.id, as_bytes("d"), slices, 0);
  ASSERT_TRUE(m.until([&] { return m.other.recorder.is_down(m.origin.id) && m.origin.recorder.is_down(m.other.id); }));
  EXPECT_TRUE(m.other.recorder.data.empty());
  EXPECT_EQ(m.other.recorder.down.size(), 1u);  // cut or reset, as the kernel saw it
}

// What one connection said is of no use on another: everything that the dialer sent is sent again, by somebody else.
TEST_P(TlsMesh, ReplayedIntroductionIsRefused) {
  for (bool tls : {true, false}) {
    Node origin = tls_node(0, 1, GetParam(), {.tls = tls}), other = tls_node(1, 1, GetParam(), {.tls = tls});
    Meddler meddler(origin.at);
    std::map<size_t, std::vector<std::byte>> said;
    meddler.meddle = [&](size_t connection, bool to_dialer, std::vector<std::byte>& bytes) {
      if (!to_dialer) said[connection].insert(said[connection].end(), bytes.begin(), bytes.end());
      return true;
    };
    origin.transport->add_peer(other.id, other.at);
    other.transport->add_peer(origin.id, meddler.at());
    ASSERT_TRUE(run_until({&origin, &other}, [&] {
      meddler.pump();
      return origin.recorder.is_up(other.id);
    }));
    for (const auto& [connection, bytes] : said) {
      const size_t told = origin.recorder.strangers.size();
      auto again = os::tcp_connect({origin.at.address, origin.at.port});
      ASSERT_TRUE(again);
      pollfd wait{again->get(), POLLOUT, 0};
      ASSERT_EQ(::poll(&wait, 1, 5000), 1);
      ASSERT_EQ(::send(again->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
      ASSERT_TRUE(run_until({&origin}, [&] { return origin.recorder.strangers.size() > told; }));
      EXPECT_NE(origin.recorder.strangers.back().find("turned away 127.0.0.1:"), std::string::npos)
          << origin.recorder.strangers.back();
    }
    EXPECT_EQ(origin.recorder.up.size(), 1u);
    EXPECT_TRUE(origin.recorder.down.empty());
  }
}

TEST_P(TlsMesh, ChannelsCarryMuchInBothDirections) {
  auto nodes = make_mesh(2, GetParam(), kTls);
  Node &opener = *nodes[0], &other = *nodes[1];
  opener.transport->open_channel(other.id, as_bytes("thread 5"), 77);
  ASSERT_TRUE(run_until(all_of(nodes), [&] {
    return opener.recorder.opened.contains(77) && !other.recorder.channels.empty();
  }));
  ASSERT_TRUE(opener.recorder.opened.at(77));
  EXPECT_EQ(other.recorder.channels[0].greeting, "thread 5");
  EXPECT_EQ(other.recorder.channels[0].source, opener.id);
  const int ends[] = {opener.recorder.opened.at(77)->get(), other.recorder.channels[0].stream.get()};
  EXPECT_EQ(::fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);

  // Far more than the relay may hold: whoever does not read stops the other.
  const auto bytes = pattern(32 << 20, 5);
  size_t written[2] = {}, read[2] = {};
  std::vector<std::byte> got[2];
  for (auto& g : got) g.resize(bytes.size());
  const auto step = [&](bool reading) {
    for (int i = 0; i < 2; ++i) {
      const long w = os::send_now(ends[i], Bytes(bytes).subspan(written[i]));
      if (w > 0) written[i] += static_cast<size_t>(w);
      if (!reading) continue;
      const long r = os::receive_now(ends[i], std::span(got[i]).subspan(read[i]));
      if (r > 0) read[i] += static_cast<size_t>(r);
    }
    return read[0] == bytes.size() && read[1] == bytes.size();
  };
  run_until(all_of(nodes), [&] { return step(false); }, std::chrono::milliseconds(100));
  EXPECT_LT(written[0], bytes.size());
  ASSERT_TRUE(run_until(all_of(nodes), [&] { return step(true); }));
  EXPECT_EQ(got[0], bytes);
  EXPECT_EQ(got[1], bytes);

  // What is said before the end arrives before the end.
  ASSERT_EQ(::write(ends[0], "bye", 3), 3);
  opener.recorder.opened.clear();
  std::string last;
  bool over = false;
  ASSERT_TRUE(run_until(all_of(nodes), [&] {
    std::byte more[16];
    const long r = os::receive_now(ends[1], more);
    if (r > 0) last += as_text(Bytes(more).first(static_cast<size_t>(r)));
    return over = r == 0;
  }));
  EXPECT_EQ(last, "bye");
}

TEST_P(TlsMesh, ChannelsEndWithTheirPeer) {
  auto nodes = make_mesh(2, GetParam(), kTls);
  nodes[0]->transport->open_channel(NodeId{1}, as_bytes("x"), 1);
  ASSERT_TRUE(run_until(all_of(nodes), [&] { return nodes[0]->recorder.opened.contains(1); }));
  const int end = nodes[0]->recorder.opened.at(1)->get();
  nodes[0]->transport->close_peer(NodeId{1});
  std::byte byte;
  EXPECT_TRUE(run_until({nodes[0].get()}, [&] { return os::receive_now(end, {&byte, 1}) == 0; }));
}

}  // namespace
}  // namespace dsm::transport::testing
