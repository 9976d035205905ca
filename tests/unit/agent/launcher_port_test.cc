// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/launcher_port.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libdsm/os/fd.h"

namespace dsm::agent {
namespace {

class LauncherPortTest : public testing::Test {
 protected:
  LauncherPortTest() {
    int in[2], out[2];
    EXPECT_EQ(::pipe2(in, O_NONBLOCK), 0);
    EXPECT_EQ(::pipe2(out, O_NONBLOCK), 0);
    in_.reset(in[0]), to_agent_.reset(in[1]), from_agent_.reset(out[0]), out_.reset(out[1]);
  }
  void tell(const std::string& text) { ASSERT_EQ(::write(to_agent_.get(), text.data(), text.size()), (ssize_t)text.size()); }
  std::string heard() {
    char text[4096];
    ssize_t n = ::read(from_agent_.get(), text, sizeof text);
    return n > 0 ? std::string(text, static_cast<size_t>(n)) : "";
  }
  os::Fd in_, out_, to_agent_, from_agent_;
  std::vector<Command> commands_;
};

const std::string kSecret(64, 'b');

TEST_F(LauncherPortTest, ReadsConfigureInPieces) {
  LauncherPort port(in_.get(), out_.get());
  tell("{\"cmd\":\"configure\",\"job\":\"j\",\"node\":1,\"nodes\":3,\"secret\":\"" + kSecret + "\",\"runtime\":\"/r\",");
  ASSERT_TRUE(port.read(commands_).ok());
  EXPECT_TRUE(commands_.empty());
  tell("\"bind\":\"::1\",\"place\":\"node:2\",\"lease\":300,\"poll\":\"always\",\"hold_us\":7,\"app_fd\":-1}\n{\"cmd\":\"shutdown\"}\n");
  ASSERT_TRUE(port.read(commands_).ok());
  ASSERT_EQ(commands_.size(), 2u);
  const auto& c = std::get<Configure>(commands_[0]);
  EXPECT_EQ(c.node, NodeId{1});
  EXPECT_EQ(c.secret[31], std::byte{0xbb});
  EXPECT_EQ(c.place, abi::kPlaceNode);
  EXPECT_EQ(c.place_node, 2u);
  EXPECT_EQ(c.lease.mode, coherence::LeaseMode::kFixed);
  EXPECT_EQ(c.lease.fixed_ns, 300'000u);
  EXPECT_EQ(c.poll, PollMode::kAlways);
  EXPECT_EQ(c.hold_us, 7u);
  EXPECT_TRUE(std::holds_alternative<Shutdown>(commands_[1]));
}

TEST_F(LauncherPortTest, BadLinesAreErrorsNotCrashes) {
  for (const char* line : {"nonsense\n", "[]\n", "{}\n", "{\"cmd\":7}\n", "{\"cmd\":\"dance\"}\n", "{\"cmd\":\"stats\"}\n",
                           "{\"cmd\":\"configure\",\"job\":\"j\",\"node\":5,\"nodes\":3,\"secret\":\"00\"}\n",
                           "{\"cmd\":\"peers\",\"peers\":[{\"node\":70000,\"addr\":\"x\",\"port\":1}],\"cpus\":[1]}\n"}) {
    LauncherPort port(in_.get(), out_.get());
    tell(line);
    EXPECT_FALSE(port.read(commands_).ok()) << line;
  }
  EXPECT_TRUE(commands_.empty());
}

TEST_F(LauncherPortTest, EmptyAndClosedAreDifferent) {
  LauncherPort port(in_.get(), out_.get());
  EXPECT_EQ(port.read(commands_).value(), LauncherPort::Input::kNothing);
  to_agent_.reset();
  EXPECT_EQ(port.read(commands_).value(), LauncherPort::Input::kClosed);
}

TEST_F(LauncherPortTest, LauncherThatDiesWithoutReadingIsGone) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  os::Fd agent_end(pair[0]), launcher_end(pair[1]);
  LauncherPort port(agent_end.get(), agent_end.get());
  port.bye(NodeId{0});
  launcher_end.reset();
  Result<LauncherPort::Input> input = port.read(commands_);
  ASSERT_TRUE(input.ok());
  EXPECT_EQ(*input, LauncherPort::Input::kClosed);
}

TEST_F(LauncherPortTest, EventsAreLines) {
  LauncherPort port(in_.get(), out_.get());
  port.failed(NodeId{2}, "vessel killed by signal 9");
  EXPECT_EQ(heard(), "{\"event\":\"failed\",\"node\":2,\"what\":\"vessel killed by signal 9\"}\n");
  stats::StatsReport report;
  report.node.id = 1;
  report.pages.push_back({.addr = 4096, .moves = 3});
  port.stats(9, report);
  std::string text = heard();
  EXPECT_NE(text.find("\"event\":\"stats\""), std::string::npos);
  EXPECT_NE(text.find("\"addr\":4096"), std::string::npos);
}

}  // namespace
}  // namespace dsm::agent
