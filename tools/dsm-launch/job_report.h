// SPDX-License-Identifier: Apache-2.0
// What is left of a job when it has ended: the JSON report, and the table that -v prints.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "libdsm/base/result.h"

namespace dsm::tools {

inline constexpr const char* kStatSchema = "dsm-stat/1";

// Writes {"schema":"dsm-stat/1","jobs":[job]}, complete or not at all (temporary file and rename). Names the pages of `job`
// first (page_symbols.h).
Status write_report(const std::string& path, nlohmann::json job);

// One table per job on stderr.
void print_summary(const nlohmann::json& job);

}  // namespace dsm::tools
