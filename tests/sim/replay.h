// SPDX-License-Identifier: Apache-2.0
// One schedule again, to be read: what failed, with the last steps before it; and the smallest scenario found that still
// fails.
#pragma once
#include <cstddef>
#include <optional>
#include <string>

#include "tests/sim/scenario.h"

namespace dsm::sim {

// How the schedule failed; nothing if it did not. The last `lines` steps go to stdout, also when a check inside the
// protocol code stops it. Runs in a child.
std::optional<std::string> replay(const Scenario&, size_t lines);

// Leaves out disturbances, threads and operations as long as the schedule still fails.
Scenario minimise(Scenario);

}  // namespace dsm::sim
