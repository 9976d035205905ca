// SPDX-License-Identifier: Apache-2.0
// Callers who know the secret and still have no business here, or ask for too much: each is turned away with one line
// that names its address and the reason, at both ends; nothing of it stays.
#include <gtest/gtest.h>
#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "libdsm/os/clock.h"
#include "libdsm/os/socket.h"
#include "tests/unit/transport/recorder.h"

namespace dsm::transport::testing {
namespace {

class Strangers : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Protection, Strangers, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "tls" : "challenge"; });

constexpr Belief kJob{.nodes = 4, .job = 11, .epoch = 5};

Belief job(bool tls) {
  Belief belief = kJob;
  belief.tls = tls;
  return belief;
}

size_t open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  size_t count = 0;
  while (::readdir(folder)) ++count;
  ::closedir(folder);
  return count;
}

// Introduces itself with this hello. What the dialer hears, empty when it was taken.
std::string call(Node& victim, const Authenticator& authenticator, const LinkHello& hello) {
  auto reactor = os::make_reactor();
  auto socket = os::tcp_connect({victim.at.address, victim.at.port});
  if (!reactor || !socket) return "no socket";
  std::string heard = "no answer";
  bool done = false;
  Handshake shake(**reactor, authenticator, std::move(*socket), hello, {}, os::now_ns() + 5'000'000'000,
                  [&](Handshake&, Result<Handshake::Outcome> outcome) {
                    done = true;
                    heard = outcome ? "" : outcome.error().what;
                  });
  for (int i = 0; i < 5000 && !done; ++i) {
    (*reactor)->run(100'000);
    victim.transport->poll(100'000);
  }
  return heard;
}

TEST_P(Strangers, EachReasonIsNamedAtBothEnds) {
  const Belief belief = job(GetParam());
  Node victim(0, 1, false, 256u << 20, Connector::Limits{}, belief);
  Node caller(1, 1, false, 256u << 20, Connector::Limits{}, belief);
  const Membership member{caller.id, belief.nodes, belief.job, belief.epoch, caller.authenticator->protection()};
  const LinkHello good = member.hello_to(victim.id, Purpose::kMessages);
  struct Case {
    const char* reason;
    void (*spoil)(LinkHello&);
  };
  const Case cases[] = {
      {"another job", [](LinkHello& h) { h.job = 12; }},
      {"epoch 4, which is over: this node is in epoch 5", [](LinkHello& h) { h.epoch = 4; }},
      {"epoch 6, this node is in epoch 5", [](LinkHello& h) { h.epoch = 6; }},
      {"node 0, which is this node", [](LinkHello& h) { h.source = 0; }},
      {"node 4, of which this job has 4", [](LinkHello& h) { h.source = 4; }},
      {"node 65535, of which this job has 4", [](LinkHello& h) { h.source = 65535; }},
      {"looks for node 3, this is node 0", [](LinkHello& h) { h.destination = 3; }},
      {"unknown kind (0)", [](LinkHello& h) { h.purpose = 0; }},
      {"unknown kind (9)", [](LinkHello& h) { h.purpose = 9; }},
      {"--encrypt", [](LinkHello& h) { h.protection ^= 1; }},
      {"version 1 of the protocol", [](LinkHello& h) { h.version = 1; }},
  };
  const size_t before = open_descriptors();
  for (const Case& c : cases) {
    LinkHello hello = good;
    c.spoil(hello);
    victim.recorder.strangers.clear();
    const std::string heard = call(victim, *caller.authenticator, hello);
    EXPECT_NE(heard.find(c.reason), std::string::npos) << heard;
    ASSERT_TRUE(run_until({&victim}, [&] { return !victim.recorder.strangers.empty(); })) << c.reason;
    ASSERT_EQ(victim.recorder.strangers.size(), 1u);
    EXPECT_NE(victim.recorder.strangers[0].find("turned away 127.0.0.1:"), std::string::npos);
    EXPECT_NE(victim.recorder.strangers[0].find(c.reason), std::string::npos) << victim.recorder.strangers[0];
  }
  EXPECT_EQ(call(victim, *caller.authenticator, good), "");
  EXPECT_NE(call(victim, *caller.authenticator, good).find("node 1 is connected already"), std::string::npos);
  victim.transport->poll(0);
  EXPECT_LE(open_descriptors(), before + 1);  // the one that was taken
}

// The hello is bound by the proof: one that a third party changed on the way ends the introduction.
TEST_P(Strangers, HelloThatTheProofDoesNotCoverIsRefused) {
  const Belief belief = job(GetParam());
  Node victim(0, 1, false, 256u << 20, Connector::Limits{}, belief);
  Node caller(1, 1, false, 256u << 20, Connector::Limits{}, belief);
  const Membership member{caller.id, belief.nodes, belief.job, belief.epoch, caller.authenticator->protection()};
  class Liar final : public Authenticator {
   public:
    explicit Liar(const Authenticator& honest) : honest_(honest) {}
    Protection protection() const override { return honest_.protection(); }
    std::unique_ptr<AuthSession> begin(Role role, Bytes binding) const override {
      std::vector<std::byte> changed(binding.begin(), binding.end());
      changed[offsetof(LinkHello, source)] ^= std::byte{3};  // proves that it is node 2, says node 1
      return honest_.begin(role, changed);
    }

   private:
    const Authenticator& honest_;
  } liar(*caller.authenticator);
  EXPECT_NE(call(victim, liar, member.hello_to(victim.id, Purpose::kMessages)), "");
  EXPECT_TRUE(run_until({&victim}, [&] { return victim.recorder.strangers.size() == 1; }));
}

// Random records behind a good hello, and random bytes from the start.
TEST_P(Strangers, RandomBytesLeaveNothingBehind) {
  const Belief belief = job(GetParam());
  Node victim(0, 1, false, 256u << 20, {.introduction_ns = 30'000'000}, belief);
  const Membership member{NodeId{1}, belief.nodes, belief.job, belief.epoch, victim.authenticator->protection()};
  const LinkHello hello = member.hello_to(victim.id, Purpose::kData);
  const size_t before = open_descriptors();
  constexpr unsigned kCallers = 200;
  for (unsigned seed = 0; seed < kCallers; ++seed) {
    auto socket = os::tcp_connect({victim.at.address, victim.at.port});
    ASSERT_TRUE(socket);
    pollfd wait{socket->get(), POLLOUT, 0};
    ASSERT_EQ(::poll(&wait, 1, 5000), 1);
    std::vector<std::byte> bytes;
    const auto add = [&](const void* from, size_t n) {
      const auto* first = static_cast<const std::byte*>(from);
      bytes.insert(bytes.end(), first, first + n);
    };
    const auto noise = pattern(1 + seed * 17 % 3000, seed);
    if (seed % 2 == 0) {
      const uint32_t hello_head[] = {1, sizeof hello}, auth_head[] = {2, static_cast<uint32_t>(noise.size())};
      add(hello_head, sizeof hello_head);
      add(&hello, sizeof hello);
      add(auth_head, sizeof auth_head);
    }
    add(noise.data(), noise.size());
    os::send_now(socket->get(), Bytes(bytes));
    const size_t told = seed;
    ASSERT_TRUE(run_until({&victim}, [&] { return victim.recorder.strangers.size() > told; })) << seed;
    ASSERT_EQ(victim.recorder.strangers.size(), told + 1);
  }
  victim.transport->poll(0);
  victim.transport->poll(0);
  EXPECT_LE(open_descriptors(), before);
  EXPECT_TRUE(victim.recorder.up.empty());
}

}  // namespace
}  // namespace dsm::transport::testing
