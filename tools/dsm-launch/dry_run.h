// SPDX-License-Identifier: Apache-2.0
// --dry-run: what would be started, in the order it would be.
#pragma once
#include "tools/dsm-launch/installation.h"
#include "tools/dsm-launch/job_hosts.h"
#include "tools/dsm-launch/launch_options.h"
#include "tools/dsm-launch/program_lookup.h"

namespace dsm::tools {

// Prints to stdout; always succeeds.
int dry_run(const LaunchOptions& options, const Installation& installation, const Program& program,
            const std::vector<NodeHost>& hosts);

}  // namespace dsm::tools
