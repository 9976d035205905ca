// SPDX-License-Identifier: Apache-2.0
// What this processor can do for a program, as CPUID tells programs.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace dsm::os {

// The instruction sets that user programs choose their code by, with the names of /proc/cpuinfo. Those that need registers which
// the system does not save are left out, as a program leaves them out.
std::vector<std::string> cpu_features();

// XCR0: which parts of a thread's registers the system saves.
uint64_t saved_registers();

}  // namespace dsm::os
