// SPDX-License-Identifier: Apache-2.0
// Litmus tests for the memory model: runs each test of litmus_tests.cc many times and fails when an
// outcome occurs that x86-TSO forbids, or when a permitted one that tells that the threads really
// met is rarer than one in a hundred.
//
//   litmus [--iterations N] [--only NAME] [--seed S] [--expect-forbidden] [-v]
//
// --expect-forbidden turns the judgement round, for builds with a seeded protocol bug: one PASS when
// some test shows a forbidden outcome, FAIL when none does.
//
// Meant for `dsm-launch -n 4 --place rr -- litmus`; runs natively too. Prints PASS or FAIL lines;
// exit 0, 1, or 2 for bad options.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "litmus_rounds.h"
#include "litmus_test.h"

namespace {

using litmus::Tally;
using litmus::Test;

constexpr double kLeastShare = 0.01;

struct Options {
  uint64_t iterations = 20000;
  uint64_t seed = 1;
  std::string only;
  bool expect_forbidden = false;
  bool verbose = false;
};

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; i++) {
    std::string name = argv[i];
    if (name == "-v") {
      o.verbose = true;
      continue;
    }
    if (name == "--expect-forbidden") {
      o.expect_forbidden = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const char* value = argv[++i];
    if (name == "--iterations") o.iterations = strtoull(value, nullptr, 0);
    else if (name == "--seed") o.seed = strtoull(value, nullptr, 0);
    else if (name == "--only") o.only = value;
    else return false;
  }
  return o.iterations > 0;
}

// What forbidden outcome was seen how often, or the empty string.
std::string forbidden_seen(const Test& test, const Tally& tally) {
  for (size_t c = 0; c < test.forbidden.size(); c++)
    if (tally.forbidden[c].count)
      return "forbidden: " + test.forbidden[c].name + ", " +
             std::to_string(tally.forbidden[c].count) + " of " + std::to_string(tally.iterations) +
             "; first: " + tally.forbidden[c].first_seen;
  return {};
}

// The first thing wrong with a test, or the empty string.
std::string judge(const Test& test, const Tally& tally) {
  if (!tally.problem.empty()) return tally.problem;
  if (std::string seen = forbidden_seen(test, tally); !seen.empty()) return seen;
  for (size_t c = 0; c < test.interesting.size(); c++)
    if (static_cast<double>(tally.interesting[c].count) <
        kLeastShare * static_cast<double>(tally.iterations))
      return "permitted outcome too rare: " + test.interesting[c].name + ", " +
             std::to_string(tally.interesting[c].count) + " of " + std::to_string(tally.iterations);
  return {};
}

void print_shares(const Test& test, const Tally& tally, bool verbose) {
  printf("# %s: %llu iterations, reach %lld us", test.name.c_str(),
         static_cast<unsigned long long>(tally.iterations),
         static_cast<long long>(tally.reach_us));
  for (size_t c = 0; c < test.interesting.size(); c++)
    printf("; %s %.1f %%", test.interesting[c].name.c_str(),
           100.0 * static_cast<double>(tally.interesting[c].count) /
               static_cast<double>(tally.iterations));
  puts("");
  if (!verbose) return;
  for (const auto& [outcome, count] : tally.outcomes) {
    printf("#  ");
    for (uint32_t value : outcome) printf(" %u", value);
    printf("  %llu\n", static_cast<unsigned long long>(count));
  }
}

std::vector<Test> chosen_tests(const Options& o) {
  std::vector<Test> chosen;
  for (const Test& test : litmus::all_tests())
    if (test.name.find(o.only) != std::string::npos) chosen.push_back(test);
  return chosen;
}

// Runs and judges all. The number of failed tests.
int run_all(const std::vector<Test>& tests, const Options& o) {
  int failed = 0;
  for (const Test& test : tests) {
    Tally tally = litmus::run_test(test, o.iterations, o.seed);
    std::string problem = judge(test, tally);
    print_shares(test, tally, o.verbose);
    printf(problem.empty() ? "PASS %s\n" : "FAIL %s %s\n", test.name.c_str(), problem.c_str());
    fflush(stdout);
    failed += !problem.empty();
  }
  return failed;
}

// Runs until a test shows what no correct build can show. The number of failed tests, 0 or 1.
int find_forbidden(const std::vector<Test>& tests, const Options& o) {
  for (const Test& test : tests) {
    Tally tally = litmus::run_test(test, o.iterations, o.seed);
    std::string seen = forbidden_seen(test, tally);
    print_shares(test, tally, o.verbose);
    if (seen.empty()) continue;
    printf("# %s: %s\nPASS caught\n", test.name.c_str(), seen.c_str());
    return 0;
  }
  puts("FAIL caught no forbidden outcome was seen");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (!parse(argc, argv, o)) {
    fprintf(stderr, "usage: litmus [--iterations N] [--only NAME] [--seed S] "
                    "[--expect-forbidden] [-v]\n");
    return 2;
  }
  std::vector<Test> tests = chosen_tests(o);
  if (tests.empty()) {
    fprintf(stderr, "no test is called like %s\n", o.only.c_str());
    return 2;
  }
  int failed = o.expect_forbidden ? find_forbidden(tests, o) : run_all(tests, o);
  return failed ? 1 : 0;
}
