// SPDX-License-Identifier: Apache-2.0
// Orders of dsm-stat to a job's launcher: move a thread, drain a node.
#pragma once
#include "tools/dsm-stat/stat_options.h"

namespace dsm::tools {

// Carries out options.command on the job options.job and says how it ended; the exit status of dsm-stat.
int run_job_command(const StatOptions& options);

}  // namespace dsm::tools
