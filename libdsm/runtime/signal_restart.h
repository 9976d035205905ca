// SPDX-License-Identifier: Apache-2.0
// Which interrupted calls SA_RESTART makes again. User space cannot tell the kernel's ERESTARTSYS from ERESTARTNOHAND, both
// arrive as EINTR, so the answer is a table by call. Any context.
#pragma once
#include "libdsm/runtime/thread_signals.h"

namespace dsm::runtime {

bool restarts_after_handler(const ThreadSignals& signals);

}  // namespace dsm::runtime
