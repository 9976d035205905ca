// SPDX-License-Identifier: Apache-2.0
// dsm-stat: running jobs, a table per node, the hottest pages.
#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/common/complain.h"
#include "tools/common/exit_codes.h"
#include "tools/common/job_socket.h"
#include "tools/common/job_tables.h"
#include "tools/dsm-stat/job_command.h"
#include "tools/dsm-stat/job_query.h"
#include "tools/dsm-stat/stat_options.h"

namespace {

using namespace dsm::tools;
using nlohmann::json;

// Jobs that answer; one that ends between listing and asking is left out without a word unless it was named.
json collect(const StatOptions& options, bool& named_job_failed) {
  json jobs = json::array();
  for (const auto& address : running_jobs()) {
    if (address.uid != getuid() && getuid() != 0) continue;
    if (!options.job.empty() && address.job != options.job) continue;
    auto job = query_job(address);
    if (job) jobs.push_back(std::move(job).value());
    else if (!options.job.empty()) complain("dsm-stat: {}\n", job.error().what);
  }
  named_job_failed = !options.job.empty() && jobs.empty();
  return jobs;
}

void print_tables(const json& jobs, bool detailed) {
  if (jobs.empty()) fmt::print("no running jobs\n");
  for (const auto& job : jobs) {
    fmt::print("job {}  pid {}  {} nodes  {}\n", job.value("id", ""), job.value("app_pid", 0), job["nodes"].size(), job.value("program", ""));
    fmt::print("{}", node_table(job));
    if (detailed) fmt::print("\n{}\n{}", thread_table(job), page_table(job));
    fmt::print("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const StatOptions options = parse_stat_options(argc, argv);
  if (options.finished) return options.exit_status;
  if (options.command != StatOptions::Command::kShow) return run_job_command(options);
  for (bool again = false;; again = true) {
    bool failed = false;
    const json jobs = collect(options, failed);
    if (failed) {
      if (again) return 0;   // watched to its end
      complain("dsm-stat: no running job {}\n", options.job);
      return 1;
    }
    if (options.json) {
      fmt::print("{}\n", json{{"schema", "dsm-stat/1"}, {"jobs", jobs}}.dump(options.watch_s > 0 ? -1 : 1));
    } else {
      if (again && isatty(1)) fmt::print("\033[H\033[2J");
      print_tables(jobs, !options.job.empty() || jobs.size() == 1);
    }
    std::fflush(stdout);
    if (options.watch_s <= 0) return 0;
    poll(nullptr, 0, static_cast<int>(options.watch_s * 1000));
  }
}
