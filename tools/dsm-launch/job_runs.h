// SPDX-License-Identifier: Apache-2.0
// A job from its beginning to its end, which may take several runs: one that loses a node goes on from its newest checkpoint, on
// as many nodes as before.
#pragma once
#include <optional>
#include <vector>

#include "tools/dsm-launch/checkpoint_source.h"
#include "tools/dsm-launch/installation.h"
#include "tools/dsm-launch/launch_options.h"
#include "tools/dsm-launch/program_lookup.h"

namespace dsm::tools {

// `source`: what --restart has found. The exit status of dsm-launch.
int run_job(const LaunchOptions& options, const Installation& installation, const Program& program, const std::vector<NodeHost>& hosts,
            std::optional<CheckpointSource> source);

}  // namespace dsm::tools
