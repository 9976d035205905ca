// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/placement_policies.h"

#include <gtest/gtest.h>

#include <vector>

namespace dsm::runtime {
namespace {

// {threads, running, cpus, drained}
const std::vector<NodeView> kThree = {{4, 3, 2, false}, {2, 1, 2, false}, {9, 2, 8, false}};

uint32_t choose(abi::Placement policy, const std::vector<NodeView>& nodes, uint32_t number, uint32_t wanted = 0) {
  return choose_node(placement_policy(policy), {nodes.data(), static_cast<uint32_t>(nodes.size()), number, wanted});
}

std::vector<uint32_t> first_eight(abi::Placement policy, const std::vector<NodeView>& nodes, uint32_t wanted = 0) {
  std::vector<uint32_t> chosen;
  for (uint32_t number = 1; number <= 8; ++number) chosen.push_back(choose(policy, nodes, number, wanted));
  return chosen;
}

TEST(PlacementPolicies, EachDoesWhatItsNameSays) {
  const std::vector<NodeView> two = {{0, 0, 2, false}, {0, 0, 3, false}};
  EXPECT_EQ(first_eight(abi::kPlaceRoundRobin, two), (std::vector<uint32_t>{1, 0, 1, 0, 1, 0, 1, 0}));
  EXPECT_EQ(first_eight(abi::kPlaceFill, two), (std::vector<uint32_t>{0, 1, 1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(first_eight(abi::kPlaceLocal, two), std::vector<uint32_t>(8, 0));
  EXPECT_EQ(first_eight(abi::kPlaceNode, two, 1), std::vector<uint32_t>(8, 1));
}

TEST(PlacementPolicies, LeastLooksAtRunningThreadsForACpuFirst) {
  EXPECT_EQ(choose(abi::kPlaceLeast, kThree, 1), 2u);   // 2/8 < 1/2 < 3/2
  EXPECT_EQ(choose(abi::kPlaceLeast, {{4, 1, 2, false}, {2, 1, 2, false}}, 1), 1u);   // as many run: fewer threads
  const std::vector<NodeView> equal(3, NodeView{1, 1, 2, false});
  EXPECT_EQ(first_eight(abi::kPlaceLeast, equal), (std::vector<uint32_t>{1, 2, 0, 1, 2, 0, 1, 2}));
}

TEST(PlacementPolicies, NothingGoesToADrainedNode) {
  std::vector<NodeView> nodes = kThree;
  nodes[1].drained = nodes[2].drained = true;
  for (const abi::PlacementName& name : abi::kPlacementNames)
    for (uint32_t node : first_eight(name.policy, nodes, 2)) EXPECT_EQ(node, 0u) << name.name;
}

TEST(PlacementPolicies, NodesThatDoNotExistAreNotChosen) {
  EXPECT_EQ(choose(abi::kPlaceNode, kThree, 1, 7), 0u);
  EXPECT_EQ(choose(static_cast<abi::Placement>(99), kThree, 4), 1u);   // round robin
}

}  // namespace
}  // namespace dsm::runtime
