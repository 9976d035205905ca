// SPDX-License-Identifier: Apache-2.0
// Runs one test many times, in rounds of many independent instances, each with an x and a y page of
// its own. Only three barriers a round cross the nodes; inside a round the threads meet by time.
//
// A round: the first thread clears all pages; each participant brings its pages into the planned
// starting states; all run the instances at their times; the first thread collects and judges.
//
// Invariants: participants write results only to pages of their own; between the barriers only
// participants touch x and y pages, and in the starting phase only as the plan says.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "litmus_test.h"

namespace litmus {

struct ClassCount {
  uint64_t count = 0;
  std::string first_seen;  // starting states and outcome of the first one
};

struct Tally {
  uint64_t iterations = 0;
  std::vector<ClassCount> forbidden;    // as in Test::forbidden
  std::vector<ClassCount> interesting;  // as in Test::interesting
  std::map<Outcome, uint64_t> outcomes;
  int64_t reach_us = 0;  // what the skew range ended at
  std::string problem;   // why the run does not count, empty when it does
};

// Blocks until at least `iterations` instances ran.
Tally run_test(const Test& test, uint64_t iterations, uint64_t seed);

}  // namespace litmus
