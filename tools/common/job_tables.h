// SPDX-License-Identifier: Apache-2.0
// The tables that people read, made from the same JSON that programs read (schema dsm-stat/1).
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace dsm::tools {

// A line per node: threads, faults, pages, bytes, fault times.
std::string node_table(const nlohmann::json& job);
// The living threads.
std::string thread_table(const nlohmann::json& job);
// The hottest pages, with symbols where they are known.
std::string page_table(const nlohmann::json& job);
// How many threads ran where; says so when none ever ran away from the origin.
std::string thread_summary(const nlohmann::json& job);

}  // namespace dsm::tools
