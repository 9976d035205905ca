// SPDX-License-Identifier: Apache-2.0
// A program that goes on from its process image: where it and node 0's agent run.
#include <sys/wait.h>
#include <unistd.h>

#include "tools/common/monotonic.h"
#include "tools/dsm-launch/job_controller.h"

namespace dsm::tools {

void JobController::add_checkpoints(nlohmann::json& configuration) const {
  if (!checkpoints_.dir.empty()) {
    configuration["ckpt_dir"] = checkpoints_.dir;
    configuration["ckpt_job"] = checkpoints_.job;
    configuration["ckpt_program"] = program_.path;
    configuration["ckpt_every_ms"] = static_cast<uint64_t>(options_.checkpoint_every_s * 1000);
  }
  if (checkpoints_.restore_generation == 0) return;
  configuration["restore_dir"] = checkpoints_.restore_dir;
  configuration["restore_job"] = checkpoints_.restore_job;
  configuration["restore_generation"] = checkpoints_.restore_generation;
}

Status JobController::make_id_space() {
  if (!restored_) return success();
  auto space = IdSpace::make(restored_->last_id);
  if (!space) return space.error();
  id_space_ = std::move(*space);
  return success();
}

// Children that the program has left behind keep the namespace's first process, as they may live on.
void JobController::end_id_space() {
  if (!id_space_) return;
  constexpr TimeNs kPatience = kSecond / 5;
  id_space_.close();
  const TimeNs deadline = monotonic_ns() + kPatience;
  while (waitpid(id_space_.keeper(), nullptr, WNOHANG) == 0 && monotonic_ns() < deadline) usleep(1000);
}

}  // namespace dsm::tools
