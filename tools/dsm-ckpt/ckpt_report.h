// SPDX-License-Identifier: Apache-2.0
// What dsm-ckpt says, once as JSON (schema dsm-ckpt/1), and the tables that people read, made from the same JSON.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "libdsm/ckpt/job_store.h"

namespace dsm::tools {

enum class Depth { kManifests, kData };

// One job: its generations, newest first, each with its parts and findings; "newest_usable" is a generation or null. With
// Depth::kData every byte is read, and "usable" means that all are what was written. `generation` 0: all.
Result<nlohmann::json> job_report(const ckpt::Roots& roots, const std::string& job, uint64_t generation, Depth depth);

// A line a generation, then the findings.
std::string generation_table(const nlohmann::json& job);
// The parts and sections of each generation.
std::string part_tables(const nlohmann::json& job);

}  // namespace dsm::tools
