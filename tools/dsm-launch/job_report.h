// SPDX-License-Identifier: Apache-2.0
// What is left of a job when it has ended: the JSON report, and the table that -v prints.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "libdsm/base/result.h"

namespace dsm::tools {

inline constexpr const char* kStatSchema = "dsm-stat/1";

// Writes {"schema":"dsm-stat/1","jobs":[...]}, complete or not at all (temporary file and rename). Names the pages of each job
// first (page_symbols.h). The first job is the program's, the others are its children's.
Status write_report(const std::string& path, std::vector<nlohmann::json> jobs);

// Threads that ran on other nodes than the origin.
int remote_threads(const nlohmann::json& job);

// One table per job on stderr.
void print_summary(const nlohmann::json& job);

}  // namespace dsm::tools
