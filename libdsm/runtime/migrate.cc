// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/migrate.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/delegate.h"
#include "libdsm/runtime/image_stop.h"
#include "libdsm/runtime/image_writer.h"
#include "libdsm/runtime/placement.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/shadow.h"
#include "libdsm/runtime/signal_entry.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/time_limit.h"
#include "libdsm/runtime/trap.h"
#include "libdsm/runtime/worker.h"

namespace dsm::runtime {

void become_shadow(Thread& thread, uint32_t node) {
  __atomic_store_n(&process().remote.threads_moved, 1, __ATOMIC_RELAXED);
  thread.remote.node = node;
  thread.remote.called_from = 0;
  thread.remote.set_tid = 0;
  thread.remote.moving = true;
  thread.signals.pending_word &= kPendingSignal;   // what is deferred the new worker fetches
  dsm_run_on_stack(shadow_main, &thread, start_stack_top(thread));
}

void leave_origin(Thread& thread, const UserContext& user, uint32_t node) {
  capture_frame(start_frame(thread), user);
  trap_off();
  block_all_signals();
  become_shadow(thread, node);
}

void migrate_home(Thread& thread, UserContext& user, uint16_t why) {
  Frame frame;
  capture_frame(frame, user);
  channel::Home message = {};
  message.header.type = channel::Type::kHome;
  message.header.flags = static_cast<uint16_t>(why | (thread.signals.make_again ? channel::kAgain : 0));
  __atomic_store_n(&process().remote.threads_moved, 1, __ATOMIC_RELAXED);
  board::leave(thread);
  message.baggage = baggage_of(thread, thread.signals.virtual_mask);
  message.baggage.cpu_ns = thread.board != nullptr ? thread.board->cpu_ns : 0;
  message.baggage.time_left_ns = time_left_ns(thread.signals);
  message.registers = {frame.context, frame.fs_base, frame.gs_base};
  thread.tid = 0;   // it may be back in this vessel, on another worker, before worker_wait: a kick must find that one
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
  if (is_drained(node)) return -EBUSY;
  leave_origin(call.thread, *call.user, node);
}

bool may_move_at(const UserContext& user) {
  const uint64_t rip = user.reg[kRip];
  return rip < abi::kVdsoBase || rip >= abi::kVdsoBase + process().vdso_bytes;
}

bool is_settled(const Thread& thread) {
  const uint64_t came = thread.remote.came_cpu_ns;
  return came == 0 || board::kernel_thread_cpu_ns() - came >= kSettledCpuNs;
}

void move_if_asked(Thread& thread, UserContext& user) {
  const uint32_t node = board::take_request(thread, is_settled(thread));
  if (node < process().welcome.nodes && node != thread.remote.node) leave_origin(thread, user, node);
}

void on_move_kick(Thread& thread, UserContext& user, bool in_runtime) {
  if (thread.remote.kind == ThreadKind::kProgram && !in_runtime) {
    checkpoint_if_asked(thread, user);
    park_for_image(thread, user);
    if (may_move_at(user)) move_if_asked(thread, user);
    return;
  }
  thread.signals.pending_word |= kPendingMove;
  const ThreadRemote& remote = thread.remote;
  if (remote.kind == ThreadKind::kShadow && remote.idle && remote.started)
    process().remote.channels.kick(remote.node, thread.tid);
}

void ship_on_if_asked(Thread& thread) {
  const uint32_t node = board::take_request(thread);
  if (node != 0 && node < process().welcome.nodes) become_shadow(thread, node);
}

}  // namespace dsm::runtime
