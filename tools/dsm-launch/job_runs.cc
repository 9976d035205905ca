// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/job_runs.h"

#include "tools/common/complain.h"

namespace dsm::tools {
namespace {

CheckpointPlaces places_of(const LaunchOptions& options, const Program& program, const std::optional<CheckpointSource>& source) {
  CheckpointPlaces places{options.checkpoint_dir, {}, {}, {}, 0};
  if (source && places.dir.empty()) places.dir = source->dir;   // it goes on keeping them where it was, unless told otherwise
  places.job = source && places.dir == source->dir ? source->job : checkpoint_job_name(program.path);
  return places;
}

}  // namespace

int run_job(const LaunchOptions& options, const Installation& installation, const Program& program, const std::vector<NodeHost>& hosts,
            std::optional<CheckpointSource> source) {
  CheckpointPlaces places = places_of(options, program, source);
  for (int restarts = 0;; ++restarts) {
    JobController controller(options, installation, program, hosts);
    if (source) {
      places.restore_dir = source->dir;
      places.restore_job = source->job;
      places.restore_generation = source->generation;
      controller.restore(std::move(source->restored));
    }
    controller.keep_checkpoints(places);
    const int status = controller.run();
    if (!controller.lost_node() || places.dir.empty() || restarts == options.max_restarts) return status;
    auto next = open_checkpoint(places.dir + "/" + places.job);
    if (!next) {
      complain("dsm-launch: the job cannot go on: there is no checkpoint of it that can be used: {}\n", next.error().what);
      return status;
    }
    for (const std::string& finding : next->findings) complain("dsm-launch: an older checkpoint is used: {}\n", finding);
    complain("dsm-launch: going on from generation {} (restart {} of at most {})\n", next->generation, restarts + 1, options.max_restarts);
    source = std::move(*next);
    source->restored.resumes_output = true;
  }
}

}  // namespace dsm::tools
