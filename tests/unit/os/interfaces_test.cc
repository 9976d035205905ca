// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/interfaces.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "libdsm/os/cpu_features.h"

namespace dsm::os {
namespace {

const std::vector<InterfaceAddress> kThere = {{"lo", "127.0.0.1", true},     {"eth0", "10.1.2.3", true},  {"eth1", "10.2.0.9", false},
                                              {"ib0", "10.2.77.1", true},    {"lo", "::1", true},         {"eth0", "fe80::5%eth0", true},
                                              {"eth0", "2001:db8::7", true}};

std::string choice(const char* wanted) {
  auto address = choose_address(wanted, kThere);
  return address.ok() ? *address : "error: " + address.error().what;
}

TEST(Interfaces, ByName) {
  EXPECT_EQ(choice("eth0"), "10.1.2.3");
  EXPECT_EQ(choice("ib0"), "10.2.77.1");
}

TEST(Interfaces, ByNetwork) {
  EXPECT_EQ(choice("10.2.0.0/16"), "10.2.77.1");   // eth1 is down
  EXPECT_EQ(choice("10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(choice("10.1.2.128/24"), "10.1.2.3");
  EXPECT_EQ(choice("2001:db8::/32"), "2001:db8::7");
  EXPECT_EQ(choice("fe80::/10"), "fe80::5%eth0");
  EXPECT_EQ(choice("0.0.0.0/0"), "127.0.0.1");
}

TEST(Interfaces, ErrorsSayWhatThereIs) {
  for (const char* wanted : {"eth1", "eth7", "10.3.0.0/16", "10.1.2.4"}) EXPECT_NE(choice(wanted).find("there is lo 127.0.0.1"), std::string::npos) << choice(wanted);
  for (const char* wanted : {"10.1.0.0/33", "10.1.0.0/x", "10.1.0.0/", "::/129"}) EXPECT_NE(choice(wanted).find("ADDRESS/BITS"), std::string::npos) << choice(wanted);
}

TEST(Interfaces, ThisMachineHasLoopback) {
  const auto there = interface_addresses();
  EXPECT_TRUE(std::any_of(there.begin(), there.end(), [](const auto& a) { return a.address == "127.0.0.1"; }));
}

TEST(CpuFeatures, WhatEveryX8664ProcessorOfTheseYearsHas) {
  const auto names = cpu_features();
  for (const char* name : {"cx16", "xsave", "ssse3"}) EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  EXPECT_EQ(saved_registers() & 3, 3u);
  EXPECT_EQ(cpu_features(), names);
}

}  // namespace
}  // namespace dsm::os
