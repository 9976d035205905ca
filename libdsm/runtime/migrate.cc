// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/migrate.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/delegate.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/shadow.h"
#include "libdsm/runtime/signal_entry.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/trap.h"
#include "libdsm/runtime/worker.h"

namespace dsm::runtime {
namespace {

// The local thread `user` leaves: its kernel thread becomes its shadow.
[[noreturn]] void leave_origin(Thread& thread, const UserContext& user, uint32_t node) {
  capture_frame(start_frame(thread), user);
  trap_off();
  block_all_signals();
  // What was deferred waits in the kernel again, until the shadow's loop takes the mask of the program.
  if ((thread.signals.pending_word & kPendingSignal) != 0) requeue_signal(thread.signals.deferred);
  thread.signals.pending_word = 0;
  thread.remote.node = node;
  thread.remote.set_tid = 0;
  board::count_migration(thread, node);
  dsm_run_on_stack(shadow_main, &thread, start_stack_top(thread));
}

}  // namespace

void migrate_home(Thread& thread, UserContext& user) {
  Frame frame;
  capture_frame(frame, user);
  channel::Home message = {};
  message.header.type = channel::Type::kHome;
  message.baggage = baggage_of(thread, thread.signals.virtual_mask);
  message.registers = {frame.context, frame.fs_base, frame.gs_base};
  board::leave(thread);
  channel::send(thread, message, frame.fp, frame.fp_bytes);
  worker_wait(thread);
}

int64_t migrate_self(Call& call, uint32_t node) {
  if (node >= process().welcome.nodes) return -EINVAL;
  if (node == call.thread.remote.node) return 0;
  call.user->reg[kRax] = 0;
  if (is_vessel()) {
    // Made again at the origin if the way leads on from there.
    if (node != 0) {
      call.user->reg[kRax] = static_cast<uint64_t>(call.number);
      call.user->reg[kRip] -= 2;
    }
    migrate_home(call.thread, *call.user);
  }
  leave_origin(call.thread, *call.user, node);
}

}  // namespace dsm::runtime
