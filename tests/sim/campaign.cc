// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/campaign.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <new>
#include <vector>

#include "libdsm/base/check.h"
#include "tests/sim/shared_memory.h"
#include "tests/sim/world.h"

namespace dsm::sim {
namespace {

// One for each child, in memory shared with the parent; written by the child alone, read after its death.
struct Report {
  Totals totals;
  uint64_t seed = 0;          // under way
  bool failed = false;
  bool out_of_time = false;
  char what[400] = {};
};

// What the children share.
struct Board {
  std::atomic<uint64_t> next{0};       // schedules handed out so far
  std::atomic<bool> stop{false};
};

void add(Totals& sum, const MachineCounters& counters) {
  ++sum.schedules;
  sum.steps += counters.steps;
  sum.messages += counters.messages;
  sum.retired += counters.retired;
  sum.faults += counters.faults;
  sum.native_fills += counters.native_fills;
  sum.refused += counters.refused;
  sum.most_faults = std::max(sum.most_faults, counters.most_faults);
}

void add(Totals& sum, const Totals& part) {
  sum.schedules += part.schedules;
  sum.steps += part.steps;
  sum.messages += part.messages;
  sum.retired += part.retired;
  sum.faults += part.faults;
  sum.native_fills += part.native_fills;
  sum.refused += part.refused;
  sum.most_faults = std::max(sum.most_faults, part.most_faults);
}

void work(const CampaignOptions& options, Board& board, Report& report, std::chrono::steady_clock::time_point end) {
  for (uint64_t i; !board.stop && (i = board.next++) < options.schedules;) {
    if (std::chrono::steady_clock::now() > end) {
      report.out_of_time = true;
      return;
    }
    report.seed = options.first_seed + i;
    Trace silent;
    World world(make_scenario(report.seed, options.overrides), silent);
    world.run();
    add(report.totals, world.machine().counters());
    if (!world.failure()) continue;
    report.failed = true;
    std::strncpy(report.what, world.failure().what().c_str(), sizeof report.what - 1);
    board.stop = true;
    return;
  }
}

pid_t start_child(const CampaignOptions& options, Board& board, Report& report,
                  std::chrono::steady_clock::time_point end) {
  std::fflush(stdout);
  const pid_t pid = fork();
  DSM_CHECK(pid >= 0);
  if (pid != 0) return pid;
  if (options.quiet) silence_stderr();
  work(options, board, report, end);
  _exit(0);
}

void collect(const Report& report, int status, CampaignResult& result) {
  add(result.totals, report.totals);
  result.out_of_time |= report.out_of_time;
  std::optional<FailedSeed> failure;
  if (report.failed) failure = FailedSeed{report.seed, report.what};
  else if (WIFSIGNALED(status)) failure = FailedSeed{report.seed, std::string("a check inside the protocol code: ") + strsignal(WTERMSIG(status))};
  else if (status != 0) failure = FailedSeed{report.seed, "the child ended with status " + std::to_string(status)};
  if (failure && (!result.failure || failure->seed < result.failure->seed)) result.failure = failure;
}

}  // namespace

CampaignResult run_campaign(const CampaignOptions& options) {
  const unsigned jobs = std::max(1u, options.jobs);
  SharedMemory shared(sizeof(Board) + jobs * sizeof(Report));
  Board& board = *new (shared.address()) Board;
  Report* reports = reinterpret_cast<Report*>(&board + 1);
  const auto end = std::chrono::steady_clock::now() + options.deadline;
  std::vector<pid_t> children;
  for (unsigned j = 0; j < jobs; ++j) children.push_back(start_child(options, board, *new (reports + j) Report, end));

  CampaignResult result;
  for (unsigned left = jobs; left > 0; --left) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, 0);
    const auto it = std::find(children.begin(), children.end(), pid);
    DSM_CHECK(it != children.end());
    collect(reports[it - children.begin()], status, result);
    if (result.failure) board.stop = true;
  }
  return result;
}

}  // namespace dsm::sim
