// SPDX-License-Identifier: Apache-2.0
// What a checkpoint would hold if it were cut now: each page that has content exactly once over all nodes, with its newest bytes.
#pragma once
#include <string>

#include "tests/sim/machine.h"

namespace dsm::sim {

// Of a machine where nothing is under way. Empty, or what is wrong.
std::string cut_objection(const Machine& machine);

}  // namespace dsm::sim
