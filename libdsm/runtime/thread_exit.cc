// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/thread_exit.h"

#include <linux/futex.h>

#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/trap.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr unsigned kRobustLimit = 2048;   // the kernel's ROBUST_LIST_LIMIT: lists are the program's and may be circular
constexpr uint64_t kPiBit = 1;            // in the link: the entry is a PI futex

struct RobustHead {
  uint64_t first;
  int64_t futex_offset;
  uint64_t pending;
};

// One held robust futex: marked, and one waiter woken, unless somebody else owns it by now.
void hand_on(uint64_t address, int32_t tid, bool is_pi, bool is_pending) {
  uint32_t word;
  for (;;) {
    if ((address & 3) != 0 || read_program(word, address) != 0) return;
    if (is_pending && !is_pi && word == 0) {
      // It died between the unlock and the wake.
      sys(__NR_futex, address, FUTEX_WAKE, 1);
      return;
    }
    if ((word & FUTEX_TID_MASK) != static_cast<uint32_t>(tid)) return;
    const uint32_t marked = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    // The page was readable and is the program's; a compare-and-exchange cannot go through the copy routines.
    uint32_t seen = word;
    auto* futex = reinterpret_cast<uint32_t*>(address);
    if (!__atomic_compare_exchange_n(futex, &seen, marked, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) continue;
    if (!is_pi && (word & FUTEX_WAITERS) != 0) sys(__NR_futex, address, FUTEX_WAKE, 1);
    return;
  }
}

void walk_robust_list(Thread& thread) {
  const uint64_t head_address = thread.remote.robust_head;
  RobustHead head;
  if (head_address == 0 || read_program(head, head_address) != 0) return;
  const uint64_t pending = head.pending & ~kPiBit;
  uint64_t link = head.first;
  for (unsigned i = 0; i < kRobustLimit && (link & ~kPiBit) != head_address; i++) {
    const uint64_t entry = link & ~kPiBit;
    uint64_t next;
    if (read_program(next, entry) != 0) return;   // before the entry's owner may free it
    if (entry != pending)
      hand_on(entry + static_cast<uint64_t>(head.futex_offset), thread.tid, (link & kPiBit) != 0, false);
    link = next;
  }
  if (pending != 0)
    hand_on(pending + static_cast<uint64_t>(head.futex_offset), thread.tid, (head.pending & kPiBit) != 0, true);
}

}  // namespace

void thread_exit(Thread& thread, int64_t status) {
  walk_robust_list(thread);
  block_all_signals();
  if ((thread.signals.pending_word & kPendingSignal) != 0) hand_on_signal(thread.signals.deferred);
  if (thread.remote.clear_tid != 0) {
    const int32_t zero = 0;
    // With the key of a shared futex, as the kernel wakes it.
    if (write_program(thread.remote.clear_tid, zero) == 0) sys(__NR_futex, thread.remote.clear_tid, FUTEX_WAKE, 1);
  }
  board::leave(thread);
  ThreadPool::give_back(thread);
  for (;;) sys(__NR_exit, status);
}

}  // namespace dsm::runtime
