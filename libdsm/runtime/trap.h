// SPDX-License-Identifier: Apache-2.0
// The two ends of a trapped system call.
#pragma once
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

extern "C" void trap_entry(int signal, KernelSigInfo* info, UserContext* user);

// Stores the result (unless kNoResult), decides about a restart, and delivers what was deferred meanwhile (signals.cc).
void finish_call(Call& call, int64_t result);

// Traps of the calling kernel thread: every system call outside the runtime's text raises SIGSYS.
void trap_on();
void trap_off();

}  // namespace dsm::runtime
