// SPDX-License-Identifier: Apache-2.0
// What --restart goes on from: the newest generation below a checkpoint directory that is complete and committed.
#pragma once
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "tools/dsm-launch/job_controller.h"

namespace dsm::tools {

struct CheckpointSource {
  std::string dir, job;        // DIR and the name below it
  std::string program;         // its path, for people
  uint64_t generation = 0;
  RestoredProgram restored;
  std::vector<std::string> findings;  // what was wrong with newer generations
};

// `where`: DIR, if it holds one job, or DIR/JOB. The error says what is needed and what was found.
Result<CheckpointSource> open_checkpoint(const std::string& where);

// A name for the checkpoints of a new job of this program, unlike those of others.
std::string checkpoint_job_name(const std::string& program);

}  // namespace dsm::tools
