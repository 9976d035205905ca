// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/cpu_survey.h"

#include <gtest/gtest.h>

namespace dsm::agent {
namespace {

const std::vector<NodeId> kPeers = {NodeId{1}, NodeId{2}};

TEST(CpuSurveyTest, SumsWhatAllPeersAnswer) {
  CpuSurvey survey(3);
  EXPECT_FALSE(survey.ask(7, 0));
  const auto round = survey.start(kPeers);
  ASSERT_TRUE(round);
  EXPECT_FALSE(survey.answered(NodeId{1}, *round, 10, 1));
  EXPECT_FALSE(survey.answered(NodeId{1}, *round, 99, 1));   // answers once
  EXPECT_TRUE(survey.answered(NodeId{2}, *round, 5, 2));
  EXPECT_EQ(survey.take(), std::vector<uint32_t>{7});
  EXPECT_EQ(survey.sum(), 15u);
}

TEST(CpuSurveyTest, RemembersForAMoment) {
  CpuSurvey survey(3);
  survey.ask(1, 0);
  const auto round = survey.start(kPeers);
  survey.answered(NodeId{1}, *round, 10, 100);
  survey.answered(NodeId{2}, *round, 5, 100);
  survey.take();
  EXPECT_EQ(survey.ask(2, 100 + CpuSurvey::kFresh - 1), 15u);
  EXPECT_FALSE(survey.ask(3, 100 + CpuSurvey::kFresh));
  EXPECT_TRUE(survey.start(kPeers));
}

TEST(CpuSurveyTest, OneRoundServesAllWhoAskMeanwhile) {
  CpuSurvey survey(3);
  survey.ask(1, 0);
  const auto round = survey.start(kPeers);
  survey.ask(2, 1);
  EXPECT_FALSE(survey.start(kPeers));
  survey.answered(NodeId{2}, *round, 1, 2);
  EXPECT_TRUE(survey.answered(NodeId{1}, *round, 1, 2));
  EXPECT_EQ(survey.take(), (std::vector<uint32_t>{1, 2}));
}

TEST(CpuSurveyTest, NeverGoesBackAndForgetsOldRounds) {
  CpuSurvey survey(2);
  survey.ask(1, 0);
  const auto first = survey.start({NodeId{1}});
  EXPECT_FALSE(survey.answered(NodeId{1}, *first + 1, 7, 1));
  EXPECT_TRUE(survey.answered(NodeId{1}, *first, 20, 1));
  survey.take();
  survey.ask(2, CpuSurvey::kFresh * 2);
  const auto second = survey.start({NodeId{1}});
  EXPECT_TRUE(survey.answered(NodeId{1}, *second, 12, 3));
  EXPECT_EQ(survey.sum(), 20u);
}

}  // namespace
}  // namespace dsm::agent
