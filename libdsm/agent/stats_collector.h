// SPDX-License-Identifier: Apache-2.0
// Gathers a StatsReport from the parts of an agent.
#pragma once
#include "libdsm/agent/agent_config.h"
#include "libdsm/agent/engine.h"
#include "libdsm/agent/runtime_service.h"
#include "libdsm/stats/node_stats.h"
#include "libdsm/transport/transport.h"

namespace dsm::agent {

stats::StatsReport collect_stats(const Configure& config, const Engine& engine, RuntimeService& runtime,
                                 const transport::Transport& transport);
abi::ReplyStats collect_runtime_stats(const Engine& engine, const transport::Transport& transport);

}  // namespace dsm::agent
