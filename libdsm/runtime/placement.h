// SPDX-License-Identifier: Apache-2.0
// Which node a new thread of the program goes to: the policy of Welcome.place (placement_policies.h) asked about the nodes as
// they are now. Origin only; any context.
#pragma once
#include <stdint.h>

namespace dsm::runtime {

uint32_t place_thread();

// Its agent was told to empty it: no thread goes there any more.
bool is_drained(uint32_t node);

}  // namespace dsm::runtime
