// SPDX-License-Identifier: Apache-2.0
// sim: the protocol under seeded schedules. Prints one PASS or FAIL line, and for a failure the seed, the scenario, the
// last steps and how to see it again.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "tests/sim/campaign.h"
#include "tests/sim/mutation_names.h"
#include "tests/sim/replay.h"

namespace {

using namespace dsm;
using namespace dsm::sim;

struct Options {
  CampaignOptions campaign;
  unsigned nodes = 0;
  std::string mutation = to_string(Mutation::kNone);
  std::string name = "sim";
  bool trace = false;
  bool minimise = false;
  std::vector<std::string> without;
  size_t lines = 80;
  unsigned deadline_s = 3600;
};

int show_schedule(const Options& options, uint64_t seed) {
  Scenario scenario = make_scenario(seed, options.campaign.overrides);
  if (options.minimise) scenario = minimise(scenario);
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), describe(scenario).c_str());
  const auto failure = replay(scenario, options.lines);
  std::printf(failure ? "failed: %s\n" : "no failure%s\n", failure ? failure->c_str() : "");
  return failure ? 1 : 0;
}

std::string again(const Options& options, uint64_t seed) {
  std::string text = "sim --seed " + std::to_string(seed) + " --trace";
  if (options.nodes != 0) text += " --nodes " + std::to_string(options.nodes);
  if (options.campaign.overrides.mutation != Mutation::kNone) text += " --mutation " + options.mutation;
  for (const std::string& kind : options.without) text += " --without " + kind;
  return text;
}

int run(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  const CampaignResult result = run_campaign(options.campaign);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Totals& t = result.totals;
  const auto n = [](uint64_t v) { return static_cast<unsigned long long>(v); };
  std::printf("%llu schedules, %llu steps, %llu messages, %llu operations retired, %llu faults (at most %u for one operation), "
              "%llu native fills, %llu refusals, %.1f s\n",
              n(t.schedules), n(t.steps), n(t.messages), n(t.retired), n(t.faults), t.most_faults, n(t.native_fills),
              n(t.refused), seconds);
  if (result.failure) {
    show_schedule(options, result.failure->seed);
    std::printf("again: %s (--minimise for a smaller one)\n", again(options, result.failure->seed).c_str());
    std::printf("FAIL %s seed %llu: %s\n", options.name.c_str(), n(result.failure->seed), result.failure->what.c_str());
    return 1;
  }
  if (result.out_of_time) {
    std::printf("FAIL %s only %llu of %llu schedules within the deadline\n", options.name.c_str(), n(t.schedules),
                n(options.campaign.schedules));
    return 1;
  }
  std::printf("PASS %s\n", options.name.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"sim: real directory shards and caches under seeded schedules"};
  app.add_option("--schedules", options.campaign.schedules, "how many, with consecutive seeds");
  app.add_option("--seed", options.campaign.first_seed, "the first seed");
  app.add_option("--nodes", options.nodes, "2 to 8 (default: varied)")->check(CLI::Range(2, 8));
  app.add_option("--mutation", options.mutation, "seed this protocol bug")->check(CLI::IsMember(mutation_names()));
  app.add_option("--jobs", options.campaign.jobs, "processes");
  app.add_option("--deadline", options.deadline_s, "seconds after which no further schedule is begun");
  app.add_option("--name", options.name, "of the PASS or FAIL line");
  app.add_option("--without", options.without, "leave out these disturbances")->delimiter(',');
  app.add_flag("--trace", options.trace, "run the first seed alone and print its steps");
  app.add_flag("--minimise", options.minimise, "with --trace: leave out what the failure does not need");
  app.add_option("--lines", options.lines, "steps printed");
  CLI11_PARSE(app, argc, argv);
  options.campaign.deadline = std::chrono::seconds(options.deadline_s);
  options.campaign.overrides.mutation = *mutation_of(options.mutation);
  if (options.nodes != 0) options.campaign.overrides.nodes = options.nodes;
  for (const Disturbance::Kind kind : all_disturbances())
    if (std::find(options.without.begin(), options.without.end(), name_of(kind)) != options.without.end())
      options.campaign.overrides.without.push_back(kind);
  return options.trace ? show_schedule(options, options.campaign.first_seed) : run(options);
}
