// SPDX-License-Identifier: Apache-2.0
// mutation: does the proof bite? Every seeded protocol bug goes through the simulator and through the exploration; at
// least one of the two must find it, and both must pass the protocol as it is.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <new>
#include <optional>
#include <string>

#include "libdsm/base/check.h"
#include "tests/model/explorer.h"
#include "tests/sim/campaign.h"
#include "tests/sim/mutation_names.h"
#include "tests/sim/shared_memory.h"

namespace {

using namespace dsm;

struct Bounds {
  uint64_t schedules = 2'000;
  uint64_t states = 150'000;      // of one exploration
  unsigned seconds = 15;          // of one campaign or exploration
  unsigned jobs = 2;
};

// Small worlds in which the exploration looks for a seeded bug, one after another.
std::array<model::Limits, 4> small_worlds(Mutation mutation) {
  std::array<model::Limits, 4> worlds;
  for (model::Limits& limits : worlds) limits.mutation = mutation;
  worlds[0].operations = {1, 2, 1};
  worlds[0].drops = worlds[0].losses = 0;
  worlds[1].operations = {2, 1, 1};
  worlds[1].losses = 0;
  worlds[2].operations = {0, 1, 1};
  worlds[2].drops = 0;
  worlds[3].operations = {1, 1, 1};
  worlds[3].drops = worlds[3].losses = 0;
  worlds[3].hold_ns = 20'000;
  return worlds;
}

// What an exploration in a child has to say.
struct Finding {
  uint64_t states = 0;
  bool violated = false, complete = false;
  char what[300] = {};
};

Finding explore_in_child(const model::Limits& limits, const Bounds& bounds) {
  sim::SharedMemory shared(sizeof(Finding));
  Finding& finding = *new (shared.address()) Finding;
  std::fflush(stdout);
  const pid_t pid = fork();
  DSM_CHECK(pid >= 0);
  if (pid == 0) {
    sim::silence_stderr();
    model::ExplorerOptions options;
    options.limits = limits;
    options.jobs = bounds.jobs;
    options.most_states = bounds.states;
    options.deadline = std::chrono::seconds(bounds.seconds);
    model::Explorer explorer(options);
    const model::Exploration result = explorer.run();
    finding.states = result.states;
    finding.complete = result.complete;
    finding.violated = result.violation.has_value();
    if (result.violation) std::strncpy(finding.what, result.violation->what.c_str(), sizeof finding.what - 1);
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (status != 0) {
    finding.violated = true;
    std::strncpy(finding.what, "a check inside the protocol code", sizeof finding.what - 1);
  }
  return finding;
}

std::optional<std::string> find_by_exploration(Mutation mutation, const Bounds& bounds) {
  const auto worlds = small_worlds(mutation);
  for (size_t i = 0; i < worlds.size(); ++i) {
    const Finding finding = explore_in_child(worlds[i], bounds);
    if (finding.violated)
      return "world " + std::to_string(i) + " after " + std::to_string(finding.states) + " states: " + finding.what;
  }
  return std::nullopt;
}

std::optional<std::string> find_by_simulation(Mutation mutation, const Bounds& bounds) {
  sim::CampaignOptions options;
  options.schedules = bounds.schedules;
  options.jobs = bounds.jobs;
  options.deadline = std::chrono::seconds(bounds.seconds);
  options.quiet = true;
  options.overrides.mutation = mutation;
  const sim::CampaignResult result = sim::run_campaign(options);
  if (!result.failure) return std::nullopt;
  return "seed " + std::to_string(result.failure->seed) + ": " + result.failure->what;
}

bool judge(Mutation mutation, const Bounds& bounds) {
  const auto simulation = find_by_simulation(mutation, bounds);
  const auto exploration = find_by_exploration(mutation, bounds);
  const char* name = to_string(mutation);
  std::printf("%-26s simulator:   %s\n", name, simulation ? simulation->c_str() : "-");
  std::printf("%-26s exploration: %s\n", "", exploration ? exploration->c_str() : "-");
  const bool found = simulation || exploration;
  if (mutation == Mutation::kNone) {
    if (found) std::printf("FAIL mutation/%s the protocol as it is fails\n", name);
    else std::printf("PASS mutation/%s\n", name);
    return !found;
  }
  if (found) std::printf("PASS mutation/%s\n", name);
  else std::printf("FAIL mutation/%s found by neither\n", name);
  std::fflush(stdout);
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  Bounds bounds;
  std::string only;
  CLI::App app{"mutation: every seeded protocol bug must be found"};
  app.add_option("--schedules", bounds.schedules, "of the simulator for each");
  app.add_option("--states", bounds.states, "of one exploration");
  app.add_option("--seconds", bounds.seconds, "of one campaign or exploration");
  app.add_option("--jobs", bounds.jobs, "processes or threads");
  app.add_option("--only", only, "this one")->check(CLI::IsMember(sim::mutation_names()));
  CLI11_PARSE(app, argc, argv);
  bool good = true;
  for (const Mutation mutation : sim::all_mutations())
    if (only.empty() || only == to_string(mutation)) good &= judge(mutation, bounds);
  return good ? 0 : 1;
}
