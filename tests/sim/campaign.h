// SPDX-License-Identifier: Apache-2.0
// Many schedules over several processes. Each schedule runs where a failed check or a crash of the protocol code can be
// attributed to its seed: in a child that notes the seed before it begins.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/scenario.h"

namespace dsm::sim {

struct Totals {
  uint64_t schedules = 0, steps = 0, messages = 0, retired = 0, faults = 0, native_fills = 0, refused = 0;
  uint32_t most_faults = 0;   // of one operation, over all schedules
};

struct FailedSeed {
  uint64_t seed = 0;
  std::string what;
};

struct CampaignResult {
  Totals totals;
  std::optional<FailedSeed> failure;   // of the lowest seed that failed, if several did
  bool out_of_time = false;
};

struct CampaignOptions {
  uint64_t first_seed = 1;
  uint64_t schedules = 1;
  unsigned jobs = 1;
  std::chrono::seconds deadline{3600};
  bool quiet = false;                  // what a failing child prints is thrown away
  Overrides overrides;
};

// Stops at the first failure.
CampaignResult run_campaign(const CampaignOptions&);

}  // namespace dsm::sim
