// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/host_list.h"

#include <gtest/gtest.h>

namespace dsm::tools {
namespace {

using Hosts = std::vector<HostSlots>;

Hosts list(const char* text) {
  auto hosts = parse_host_list(text);
  EXPECT_TRUE(hosts.ok()) << text << ": " << (hosts.ok() ? "" : hosts.error().what);
  return hosts.ok() ? *hosts : Hosts{};
}

Hosts file(const char* text) {
  auto hosts = parse_host_file(text, "hosts.txt");
  EXPECT_TRUE(hosts.ok()) << text << ": " << (hosts.ok() ? "" : hosts.error().what);
  return hosts.ok() ? *hosts : Hosts{};
}

TEST(HostList, NamesAndSlots) {
  EXPECT_EQ(list("a"), (Hosts{{"a", 1}}));
  EXPECT_EQ(list("a,b:2,me@c.example:3"), (Hosts{{"a", 1}, {"b", 2}, {"me@c.example", 3}}));
  EXPECT_EQ(list("a,b,a"), (Hosts{{"a", 2}, {"b", 1}}));
}

TEST(HostList, Ranges) {
  EXPECT_EQ(list("n[08-11]:2"), (Hosts{{"n08", 2}, {"n09", 2}, {"n10", 2}, {"n11", 2}}));
  EXPECT_EQ(list("n[1-2,7]x,b"), (Hosts{{"n1x", 1}, {"n2x", 1}, {"n7x", 1}, {"b", 1}}));
  EXPECT_EQ(list("n[9-10]"), (Hosts{{"n9", 1}, {"n10", 1}}));
}

TEST(HostList, Addresses) {
  EXPECT_EQ(list("10.0.0.1:2,::1,[fe80::1%eth0]:3,[::2]"), (Hosts{{"10.0.0.1", 2}, {"::1", 1}, {"fe80::1%eth0", 3}, {"::2", 1}}));
}

TEST(HostList, RefusesWhatIsNoHost) {
  for (const char* text : {"", "a,", "a,,b", "a:", "a:0", "a:x", "a:257", "a:-1", "-oProxyCommand=x", "a b", "a;b", "$(x)", "a'b", "n[", "n[]", "n[2-1]",
                           "n[1-]", "n[a-b]", "n[1-2", "n[1][2]", "n[0-99999999]", "[::1]x", "[::1", "n[1-2]:2:3"})
    EXPECT_FALSE(parse_host_list(text).ok()) << "'" << text << "'";
}

TEST(HostFile, LinesCommentsAndRanges) {
  EXPECT_EQ(file("# the cluster\n\nfront\n  node[01-02]  slots=4   # two boards\r\n\tlast slots=1"),
            (Hosts{{"front", 1}, {"node01", 4}, {"node02", 4}, {"last", 1}}));
}

TEST(HostFile, ErrorsNameTheLine) {
  for (const char* text : {"a\nb slots=x\n", "a\nb 4\n", "a\nb slots=0\n", "a\n-b\n", "a\nn[3-1]\n", "a\nb,c\n"}) {
    auto hosts = parse_host_file(text, "hosts.txt");
    ASSERT_FALSE(hosts.ok()) << text;
    EXPECT_NE(hosts.error().what.find("hosts.txt, line 2"), std::string::npos) << hosts.error().what;
  }
  EXPECT_FALSE(parse_host_file("# nobody\n", "hosts.txt").ok());
}

TEST(Slots, HostByHost) {
  const Hosts hosts = {{"a", 2}, {"b", 1}, {"c", 2}};
  using Names = std::vector<std::string>;
  EXPECT_EQ(take_slots(hosts, 0).value(), (Names{"a", "a", "b", "c", "c"}));
  EXPECT_EQ(take_slots(hosts, 3).value(), (Names{"a", "a", "b"}));
  EXPECT_EQ(take_slots(hosts, 5).value().size(), 5u);
  const auto too_many = take_slots(hosts, 6);
  ASSERT_FALSE(too_many.ok());
  EXPECT_NE(too_many.error().what.find("5 slots"), std::string::npos);
  EXPECT_FALSE(take_slots({{"a", 200}, {"b", 200}}, 0).ok());
  EXPECT_TRUE(take_slots({{"a", 200}, {"b", 200}}, 256).ok());
}

}  // namespace
}  // namespace dsm::tools
