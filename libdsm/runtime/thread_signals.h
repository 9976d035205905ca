// SPDX-License-Identifier: Apache-2.0
// The signal state of a thread, part of its block (thread.h).
//
// Invariants
//  1. At most one signal is deferred per thread: the handler that defers it blocks all others until it is delivered, so the
//     kernel keeps the rest, in its own order.
//  2. A deferred signal was not blocked when it came: the kernel's mask is the program's (a shadow hears of each change before
//     the program goes on). So it is always delivered, even if the call that it interrupts blocks it: it came before that.
//  3. pending_word is changed by the thread's own kernel thread (and its signal handlers) only.
#pragma once
#include <stdint.h>

#include "libdsm/runtime/user_context.h"

namespace dsm::runtime {

enum PendingBit : uint32_t {   // sys.cc knows that those below kPendingMove stop a call that is not made yet
  kPendingSignal = 1,   // `deferred` holds a signal of the program
  kPendingKick = 2,     // vessel: the shadow has something for us
  kPendingMove = 256,   // origin: `move_request` of the board's slot was announced; stops no call
  kPendingAbandon = 4,  // vessel: the program's process is gone, nothing of the thread may run any more
};

struct AltStack {        // the program's, as in stack_t
  uint64_t base;
  uint32_t flags, pad;
  uint64_t size;
};

struct ThreadSignals {
  uint32_t pending_word;   // not 0: something waits for this thread; checked by every interruptible system call
  uint32_t parked;         // 1 while the thread is stopped for a fork (stop_world.h)
  enum class ImageState : uint32_t { kRunning = 0, kParked = 1, kReported = 2 };
  ImageState image_state;  // stopped for a process image (image_stop.h)
  uint32_t in_kernel;      // 1 in a call that may sleep: the thread looks for a stop request before it goes on
  KernelSigInfo deferred;
  uint64_t virtual_mask;   // vessel only: the program's mask. At the origin the kernel's own mask is the program's
  uint64_t shadow_mask;    // vessel only: what the shadow believes
  uint64_t wait_mask;      // of rt_sigsuspend, ppoll ... while has_wait_mask
  bool has_wait_mask;
  bool not_made;           // the interrupted call never reached the kernel: made again whatever the action says
  bool restartable;        // the interrupted call is made again after a handler with SA_RESTART, says the kernel
  bool nudged;             // a signal that is not the program's has interrupted the call in progress
  bool again;              // the call in progress is an interrupted one that goes on: its time limit is deadline_ns
  bool make_again;         // the next trap is such a call
  uint64_t deadline_ns;    // CLOCK_MONOTONIC; of the call in progress, if it has a relative time limit (time_limit.h)
  uint32_t stale_refusals;
  bool refused_once;         // the last refusal was of refused_address and has not been believed
  uint64_t refused_address;
  int64_t restart_number;  // the call that was interrupted, or -1
  AltStack alt_stack;
};

}  // namespace dsm::runtime
