// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/signal_restart.h"

#include <asm/unistd.h>
#include <linux/futex.h>

namespace dsm::runtime {

bool is_always_restarted(const Call& call) {
  if (call.number != __NR_futex) return false;
  const uint64_t command = call.arg[1] & FUTEX_CMD_MASK;
  return command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2;
}

}  // namespace dsm::runtime
