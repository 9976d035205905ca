// SPDX-License-Identifier: Apache-2.0
// Asks a job's launcher for its statistics.
#pragma once
#include <nlohmann/json.hpp>

#include "libdsm/base/result.h"
#include "tools/common/job_socket.h"

namespace dsm::tools {

// The job's object of the dsm-stat schema, pages named. Blocks for at most about 5 s.
Result<nlohmann::json> query_job(const JobAddress& address);

}  // namespace dsm::tools
