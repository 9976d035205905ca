// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/futex.h"

#include <asm-generic/errno.h>
#include <linux/futex.h>

#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/thread.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

// Each repetition fetches the page again with its minimum hold, so a few are enough; this bounds a program's own EFAULT.
constexpr unsigned kAttempts = 200;

enum class Touch { kNone, kRead, kWrite };

struct Words {
  Touch first, second;
};

// Which words the operation accesses inside the kernel with page faults off: there an absent or write-protected page is
// EFAULT, without an event for the agent.
Words words_of(uint64_t command) {
  switch (command) {
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_TRYLOCK_PI:
    case FUTEX_UNLOCK_PI:
      return {Touch::kWrite, Touch::kNone};
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_CMP_REQUEUE_PI:
      return {Touch::kRead, Touch::kWrite};
    case FUTEX_WAKE_OP:
      return {Touch::kRead, Touch::kWrite};
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
      return {Touch::kRead, Touch::kRead};
    default:
      return {Touch::kRead, Touch::kNone};
  }
}

// An access from user mode, which waits for the page: 0 or -EFAULT.
int64_t touch(uint64_t address, Touch how) {
  if (how == Touch::kNone) return 0;
  if ((address & 3) != 0) return -EINVAL;
  uint32_t word;
  if (const int64_t error = read_program(word, address); error != 0 || how == Touch::kRead) return error;
  return dsm_user_or_zero(reinterpret_cast<uint32_t*>(address)) == 0 ? 0 : -EFAULT;
}

bool must_touch_first(uint64_t command) { return words_of(command).first == Touch::kWrite || command == FUTEX_WAKE_OP ||
                                                 command == FUTEX_WAIT_REQUEUE_PI || command == FUTEX_CMP_REQUEUE_PI; }

// It can be interrupted and made again with the same effect: no time limit, or an absolute one.
bool is_plain_wait(const Call& call, uint64_t command) {
  return command == FUTEX_WAIT_BITSET || (command == FUTEX_WAIT && call.arg[3] == 0);
}

}  // namespace

int64_t futex_call(Call& call) {
  const uint64_t command = call.arg[1] & FUTEX_CMD_MASK;
  const Words words = words_of(command);
  bool touch_now = must_touch_first(command);
  if (is_plain_wait(call, command)) board::set_state(call.thread, abi::ThreadState::kWaiting);   // the caller's scope ends it
  for (unsigned attempt = 0;; attempt++) {
    if (touch_now) {
      if (touch(call.arg[0], words.first) != 0 || touch(call.arg[4], words.second) != 0) return -EFAULT;
    }
    const int64_t result = blocking_call(call);
    // A shared key is looked up by page, which may have gone away under it: that, too, is repeated.
    if (result != -EFAULT || attempt == kAttempts) return result;
    touch_now = true;
  }
}

}  // namespace dsm::runtime
