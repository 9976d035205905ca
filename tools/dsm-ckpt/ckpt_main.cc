// SPDX-License-Identifier: Apache-2.0
// dsm-ckpt: the checkpoints in a directory.
#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "libdsm/ckpt/prune.h"
#include "tools/common/complain.h"
#include "tools/common/exit_codes.h"
#include "tools/dsm-ckpt/ckpt_options.h"
#include "tools/dsm-ckpt/ckpt_report.h"

namespace {

using namespace dsm::tools;
using nlohmann::json;
using Command = CkptOptions::Command;

constexpr int kFailed = 1;        // could not be done, or damage was found and an older generation is good
constexpr int kNothingUsable = 3;

int fail(const std::string& what, int status = kFailed) {
  complain("dsm-ckpt: {}\n", what);
  return status;
}

void print(const json& jobs, const CkptOptions& options) {
  if (options.json) {
    const json document = {{"schema", "dsm-ckpt/1"}, {"jobs", jobs}};
    fmt::print("{}\n", document.dump(1, ' ', false, json::error_handler_t::replace));
    return;
  }
  if (jobs.empty()) fmt::print("no checkpoints\n");
  bool first = true;
  for (const json& job : jobs) {
    if (!std::exchange(first, false)) fmt::print("\n");
    fmt::print("{}", generation_table(job));
    if (options.command == Command::kShow) fmt::print("{}", part_tables(job));
    if (options.command != Command::kVerify) continue;
    if (job["newest_usable"].is_null()) fmt::print("no generation can be used\n");
    else fmt::print("generation {} can be used\n", job["newest_usable"].get<uint64_t>());
  }
}

// Of `verify`: the worst of all jobs.
int verdict(const json& jobs) {
  int status = 0;
  for (const json& job : jobs) {
    if (job["newest_usable"].is_null()) return kNothingUsable;
    for (const json& generation : job["generations"])
      if (!generation["findings"].empty()) status = kFailed;
  }
  return status;
}

int look(const CkptOptions& options, const std::vector<std::string>& names) {
  const Depth depth = options.command == Command::kVerify ? Depth::kData : Depth::kManifests;
  json jobs = json::array();
  for (const std::string& name : names) {
    auto job = job_report(options.directories, name, options.generation, depth);
    if (!job.ok()) return fail(job.error().what);
    jobs.push_back(std::move(job).value());
  }
  print(jobs, options);
  return options.command == Command::kVerify ? verdict(jobs) : 0;
}

int prune(const CkptOptions& options, const std::vector<std::string>& names) {
  json jobs = json::array();
  int status = 0;
  for (const std::string& name : names) {
    auto pruned = dsm::ckpt::prune_job(options.directories[0], name, options.keep);
    if (!pruned.ok()) {
      status = fail(pruned.error().what);
      continue;
    }
    jobs.push_back({{"job", name}, {"removed", pruned->removed}, {"bytes", pruned->bytes}});
    if (!options.json) fmt::print("job {}: removed {} files, {} bytes\n", name, pruned->removed.size(), pruned->bytes);
  }
  if (options.json) fmt::print("{}\n", json{{"schema", "dsm-ckpt/1"}, {"jobs", jobs}}.dump(1));
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const CkptOptions options = parse_ckpt_options(argc, argv);
  if (options.finished) return options.exit_status;
  auto names = dsm::ckpt::list_jobs(options.directories);
  if (!names.ok()) return fail(names.error().what);
  if (!options.job.empty()) names = std::vector<std::string>{options.job};
  if (names->empty() && options.command == Command::kVerify) return fail("there are no checkpoints to verify", kNothingUsable);
  return options.command == Command::kPrune ? prune(options, *names) : look(options, *names);
}
