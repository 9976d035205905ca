// SPDX-License-Identifier: Apache-2.0
// The JSON form of a StatsReport (schema dsm-stat/1).
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "libdsm/stats/node_stats.h"

namespace dsm::stats {

nlohmann::json to_json(const NodeStats&);
nlohmann::json to_json(const ThreadStats&);
nlohmann::json to_json(const PageStats&);
nlohmann::json to_json(const RangeStats&);
// Adds "node", "threads", "pages" and "ranges" to `object`.
void add_report(nlohmann::json& object, const StatsReport&);

}  // namespace dsm::stats
