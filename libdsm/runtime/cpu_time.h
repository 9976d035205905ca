// SPDX-License-Identifier: Apache-2.0
// CPU time as the program knows it: of a thread wherever it runs, and of the process over all nodes.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

// Handlers of clock_gettime for CPU clocks of this process, getrusage and times; others of their arguments are left to the kernel.
int64_t clock_gettime_at_origin(Call& call);
int64_t getrusage_at_origin(Call& call);
int64_t getrusage_in_vessel(Call& call);
int64_t times_at_origin(Call& call);

}  // namespace dsm::runtime
