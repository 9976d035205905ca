// SPDX-License-Identifier: Apache-2.0
// explore: every state of three nodes and one page. Prints the numbers of states and transitions, and PASS or FAIL with
// the shortest trace to the violation.
#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/model/explorer.h"
#include "tests/sim/mutation_names.h"

namespace {

using namespace dsm;
using namespace dsm::model;

// For the handler below, which can be given nothing.
const Explorer* running = nullptr;

void print_trace(const std::vector<std::string>& trace) {
  for (const std::string& line : trace) std::printf("  %s\n", line.c_str());
}

// A check inside the protocol code has failed on this thread: the objects are intact enough to say how it came to it.
void on_abort(int) {
  std::signal(SIGABRT, SIG_DFL);
  if (running != nullptr)
    for (const auto& trace : running->traces_of_crash()) {
      std::printf("one of the workers was here:\n");
      print_trace(trace);
    }
  std::printf("FAIL explore a check inside the protocol code\n");
  std::fflush(stdout);
}

int run(const ExplorerOptions& options, const std::string& name) {
  const auto start = std::chrono::steady_clock::now();
  Explorer explorer(options);
  running = &explorer;
  const Exploration result = explorer.run();
  running = nullptr;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%s: %llu states, %llu transitions, depth %u, %llu quiescent, %.1f s\n", name.c_str(),
              static_cast<unsigned long long>(result.states), static_cast<unsigned long long>(result.transitions),
              result.depth, static_cast<unsigned long long>(result.quiescent), seconds);
  if (result.violation) {
    print_trace(result.violation->trace);
    std::printf("FAIL %s %s\n", name.c_str(), result.violation->what.c_str());
    return 1;
  }
  if (!result.complete) {
    std::printf("FAIL %s not complete within its limits\n", name.c_str());
    return 1;
  }
  std::printf("PASS %s\n", name.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ExplorerOptions options;
  std::string mutation = to_string(Mutation::kNone), name = "explore";
  unsigned operations = 2, origin_operations = 2, deadline_s = 3600;
  CLI::App app{"explore: all states of three nodes and one page"};
  app.add_option("--operations", operations, "of each node but the origin");
  app.add_option("--origin-operations", origin_operations, "of the origin");
  app.add_option("--drops", options.limits.drops, "range drops, of the origin's operations");
  app.add_option("--losses", options.limits.losses, "of the page's shard");
  app.add_option("--shard-host", options.limits.shard_host, "node")->check(CLI::Range(0, 2));
  app.add_option("--hold", options.limits.hold_ns, "minimum hold in ns; 0: none");
  app.add_option("--mutation", mutation, "seed this protocol bug")->check(CLI::IsMember(sim::mutation_names()));
  app.add_option("--jobs", options.jobs, "threads");
  app.add_option("--most-states", options.most_states, "give up beyond");
  app.add_option("--deadline", deadline_s, "seconds");
  app.add_flag("--liveness,!--no-liveness", options.liveness, "prove that every state can come to rest");
  app.add_option("--name", name, "of the PASS or FAIL line");
  CLI11_PARSE(app, argc, argv);
  options.limits.operations = {static_cast<uint8_t>(origin_operations), static_cast<uint8_t>(operations),
                               static_cast<uint8_t>(operations)};
  options.limits.mutation = *sim::mutation_of(mutation);
  options.deadline = std::chrono::seconds(deadline_s);
  std::signal(SIGABRT, on_abort);
  return run(options, name);
}
