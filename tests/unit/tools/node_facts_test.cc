// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/node_facts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace dsm::tools {
namespace {

using nlohmann::json;

const json kFacts = {{"version", "1.2"}, {"runtime", "abcd"}, {"kernel", "6.9"}, {"page_bytes", 4096}, {"cpu", {"avx", "fma"}}, {"xcr0", "7"}};

std::string misfit_with(const char* key, const json& value) {
  json other = kFacts;
  other[key] = value;
  return misfit(parse_facts(kFacts), parse_facts(other), "b");
}

bool names(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }

TEST(NodeFacts, EqualMachinesFit) { EXPECT_EQ(misfit(parse_facts(kFacts), parse_facts(kFacts), "b"), ""); }

TEST(NodeFacts, WhatDiffersIsNamed) {
  EXPECT_TRUE(names(misfit_with("version", "1.1"), "1.1"));
  EXPECT_TRUE(names(misfit_with("runtime", "abce"), "another build"));
  EXPECT_TRUE(names(misfit_with("page_bytes", 65536), "65536"));
  EXPECT_TRUE(names(misfit_with("xcr0", "e7"), "e7"));
  const std::string cpu = misfit_with("cpu", {"fma"});
  EXPECT_TRUE(names(cpu, "avx") && names(cpu, " b ")) << cpu;
}

TEST(NodeFacts, MoreInstructionsAreFine) { EXPECT_EQ(misfit_with("cpu", {"avx", "fma", "avx2"}), ""); }

TEST(NodeFacts, OnlyAVdsoNeedsTheSameKernel) {
  EXPECT_EQ(misfit_with("kernel", "6.10"), "");
  json other = kFacts;
  other["kernel"] = "6.10";
  EXPECT_TRUE(names(other_vdso(parse_facts(kFacts), parse_facts(other), "b"), "6.10"));
  EXPECT_EQ(other_vdso(parse_facts(kFacts), parse_facts(kFacts), "b"), "");
}

TEST(NodeFacts, AnythingMayComeOverTheStream) {
  for (const json& facts : {json(), json(7), json::array(), json::object(), json{{"version", 7}, {"cpu", "avx"}, {"page_bytes", "x"}},
                            json{{"cpu", {1, nullptr}}, {"kernel", json::object()}}})
    EXPECT_NE(misfit(parse_facts(kFacts), parse_facts(facts), "b"), "") << facts;
}

}  // namespace
}  // namespace dsm::tools
