// SPDX-License-Identifier: Apache-2.0
// JobController, third part: statistics, asked while the job runs and once at its end.
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/common/complain.h"
#include "tools/common/exit_codes.h"
#include "tools/common/monotonic.h"
#include "tools/dsm-launch/job_controller.h"
#include "tools/dsm-launch/job_report.h"

namespace dsm::tools {

using nlohmann::json;

void JobController::collect_final_report() {
  if (options_.report.empty() && !options_.verbose) return leave();
  enter(Phase::kCollecting);
  query_stats([this](const json& job) { finish_report(job); }, kReportPatience);
}

void JobController::finish_report(json job) {
  for (auto& node : job["nodes"])
    if (app_cpu_ns_ != 0 && node.value("id", 0) == 0) node["cpu_ns"] = app_cpu_ns_;
  job["remote_threads"] = remote_threads(job);
  if (options_.verbose && joined_) complain("dsm-launch: child {} (pid {}):\n", joined_->name, joined_->pid);
  if (options_.verbose) print_summary(job);
  if (!report_to_launcher(job) && !options_.report.empty()) report_ = std::move(job);
  leave();
}

// Ours, and those that the children's controllers have sent meanwhile.
void JobController::write_reports() {
  if (!report_) return;
  std::vector<json> jobs = {*std::move(report_)};
  std::move(child_reports_.begin(), child_reports_.end(), std::back_inserter(jobs));
  if (const Status written = write_report(options_.report, std::move(jobs)); !written)
    complain("dsm-launch: {}\n", written.error().what);
}

void JobController::query_stats(StatsQuery::Answer answer, TimeNs patience) {
  const int id = next_query_++;
  std::set<int> asked;
  for (auto& agent : agents_) {
    if (agent.state == AgentState::kGone || !agent.control.open()) continue;
    agent.control.send({{"cmd", "stats"}, {"id", id}});
    asked.insert(agent.node);
  }
  queries_.emplace(id, StatsQuery(job_summary(), std::move(asked), monotonic_ns() + patience, std::move(answer)));
}

json JobController::job_summary() const {
  json job = {{"id", job_},       {"launcher_pid", getpid()}, {"app_pid", app_pid_}, {"program", program_.path},
              {"arguments", options_.command}, {"place", options_.place}, {"lease", options_.lease}, {"poll", options_.poll}};
  if (joined_)
    job["child_of"] = joined_->job;   // its exit status is its parent's to know
  else
    job["children"] = options_.children;
  if (app_status_ && !joined_)
    job["exit_status"] = WIFSIGNALED(*app_status_) ? kExitSignalBase + WTERMSIG(*app_status_) : WEXITSTATUS(*app_status_);
  return job;
}

}  // namespace dsm::tools
