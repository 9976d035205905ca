// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/shadow.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/clone.h"
#include "libdsm/runtime/core_dump.h"
#include "libdsm/runtime/delegate.h"
#include "libdsm/runtime/image_stop.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/marshal.h"
#include "libdsm/runtime/migrate.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signal_handlers.h"
#include "libdsm/runtime/stop_world.h"
#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/thread_exit.h"
#include "libdsm/runtime/time_limit.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

// The kernel's mask of the shadow := the program's, unless a deferred signal holds all others back.
void follow_mask(Thread& thread, uint64_t mask) {
  ThreadSignals& signals = thread.signals;
  mask = without_reserved(mask);
  if ((signals.pending_word & kPendingSignal) != 0 || mask == signals.shadow_mask) return;
  signals.shadow_mask = mask;
  exchange_kernel_mask(mask);
}

// Nothing is deferred any more: the kernel's mask is ours to say again.
void set_mask(Thread& thread, uint64_t mask) {
  thread.signals.shadow_mask = without_reserved(mask);
  exchange_kernel_mask(thread.signals.shadow_mask);
}

// From here on a signal needs a kick; one that came before is announced by the message that follows. The order of the two is what
// makes sure of that.
uint16_t announce_signal(Thread& thread) {
  __atomic_store_n(&thread.remote.idle, true, __ATOMIC_SEQ_CST);
  return __atomic_load_n(&thread.signals.pending_word, __ATOMIC_SEQ_CST) != 0 ? channel::kHasSignal : 0;
}

// The same with a request to move.
uint16_t announce(Thread& thread) {
  const uint16_t signal = announce_signal(thread);
  return signal != 0 || board::has_request(thread) ? channel::kHasSignal : 0;
}

void answer(Thread& thread, int64_t value, uint16_t flags = 0, const void* tail = nullptr, size_t bytes = 0) {
  channel::Result result = {{0, channel::Type::kResult, static_cast<uint16_t>(flags | announce(thread))}, value};
  channel::send(thread, result, tail, bytes);
}

// What the worker must know of an interrupted call.
uint16_t interruption(const ThreadSignals& signals, int64_t value) {
  if (value != -EINTR) return 0;
  return static_cast<uint16_t>((signals.not_made ? channel::kNotMade : 0) | (signals.restartable ? channel::kRestartable : 0));
}

void serve_call(Thread& thread, const channel::Buffer& buffer) {
  const auto& message = buffer.as<channel::Syscall>();
  const bool marshalled = (message.header.flags & channel::kMarshalled) != 0;
  if (message.number == channel::kStoreNumber)
    return answer(thread, copy_to_program(message.arg[0], buffer.tail(), message.header.bytes));
  follow_mask(thread, message.mask);
  ThreadSignals& signals = thread.signals;
  signals.restart_number = -1;
  signals.not_made = false;
  signals.restartable = false;
  signals.again = (message.header.flags & channel::kAgain) != 0;
  if (!signals.again) signals.deadline_ns = 0;
  Call call = {thread, nullptr, message.number, {}};
  memcpy(call.arg, message.arg, sizeof call.arg);
  if (!marshalled) {
    const int64_t value = run_at_origin(call);
    return answer(thread, value, interruption(signals, value));
  }
  const MarshalRule* rule = marshal_rule(call);
  alignas(16) uint8_t room[channel::kMaxInlineBytes];
  RT_CHECK(rule != nullptr && unpack_arguments(*rule, call, buffer.tail(), message.header.bytes, room));
  const Call placed = call;
  const int64_t value = run_at_origin(call);
  uint8_t out[channel::kMaxInlineBytes];
  const size_t bytes = pack_results(*rule, placed, value, out);
  answer(thread, value, interruption(signals, value), out, bytes);
}

void serve_clone(Thread& thread, const channel::Buffer& buffer) {
  const auto& message = buffer.as<channel::Clone>();
  CloneParent parent = {thread, {}, message.baggage.mask, message.baggage.alt_stack};
  unpack_registers(parent.frame, message.registers, buffer.tail(), message.header.bytes);
  const uint64_t before = thread.signals.shadow_mask;
  const int64_t value = clone_program(parent, message.request);
  RT_CHECK(thread.signals.shadow_mask == before);
  answer(thread, value);
}

// The signal that the worker may deliver now, if any, and whether the thread must come home.
void serve_fetch(Thread& thread, const channel::SignalFetch& question) {
  ThreadSignals& signals = thread.signals;
  uint64_t mask = question.mask;
  channel::Signal reply = {};
  reply.header.type = channel::Type::kSignal;
  __atomic_fetch_and(&signals.pending_word, ~kPendingMove, __ATOMIC_SEQ_CST);
  uint16_t moves = 0;
  if ((question.header.flags & channel::kMayMove) != 0) {
    const bool settled = (question.header.flags & channel::kSettled) != 0;
    if (board::look_at_request(thread, thread.remote.node, settled) != board::kNoNode) moves = channel::kMove;
  }
  if ((signals.pending_word & kPendingSignal) != 0) {
    const uint64_t base = signals.has_wait_mask ? signals.wait_mask : mask;
    const int signal = signals.deferred.signo;
    const KernelSigAction action = process().remote.signals.take(signal);
    if (action.handler > kHandlerIgnore) {
      reply.header.flags = channel::kPresent;
      reply.base_mask = base;
      reply.info = signals.deferred;
      reply.action = action;
      mask = base | action.mask | ((action.flags & kSaNoDefer) == 0 ? signal_bit(signal) : 0);
    } else if (action.handler == kHandlerDefault) {
      act_by_default(signals.deferred);
    }
    signals.has_wait_mask = false;
    __atomic_fetch_and(&signals.pending_word, ~kPendingSignal, __ATOMIC_RELAXED);
    set_mask(thread, mask);   // what else waits comes now, and enters its handler on top of this one, as from the kernel
  } else {
    follow_mask(thread, mask);
  }
  reply.header.flags |= announce_signal(thread) | moves;
  channel::send(thread, reply);
}

void serve_fault(Thread& thread, const channel::Fault& message) {
  const int signal = message.info.signo;
  constexpr int32_t kSegvMapError = 1;
  if (signal == kSigSegv && message.info.code == kSegvMapError && process().memory.grow_stack(message.info.fault.address)) {
    channel::Signal again = {};   // without kPresent: the access is made once more
    again.header.type = channel::Type::kSignal;
    follow_mask(thread, message.mask);
    again.header.flags = announce(thread);
    return channel::send(thread, again);
  }
  const KernelSigAction action = process().remote.signals.take(signal);
  if (action.handler <= kHandlerIgnore || (message.mask & signal_bit(signal)) != 0) die_by_signal(signal, message.info);
  channel::Signal reply = {};
  reply.header = {0, channel::Type::kSignal, channel::kPresent};
  reply.base_mask = message.mask;
  reply.info = message.info;
  reply.action = action;
  follow_mask(thread, message.mask | action.mask | ((action.flags & kSaNoDefer) == 0 ? signal_bit(signal) : 0));
  reply.header.flags |= announce(thread);
  channel::send(thread, reply);
}

void release_channel(Thread& thread) {
  process().remote.channels.give_back(thread.remote.node, thread.remote.channel_fd);
  thread.remote.channel_fd = -1;
}

[[noreturn]] void serve_exit(Thread& thread, const channel::Exit& message) {
  const int64_t status = message.status;
  thread.remote.robust_head = message.robust_head;
  thread.remote.robust_bytes = message.robust_bytes;
  release_channel(thread);
  thread_exit(thread, status);   // hands on a deferred signal that no worker will fetch any more
}

[[noreturn]] void serve_home(Thread& thread, const channel::Buffer& buffer) {
  const auto& message = buffer.as<channel::Home>();
  block_all_signals();
  Frame& frame = start_frame(thread);
  unpack_registers(frame, message.registers, buffer.tail(), message.header.bytes);
  frame.context.mask = message.baggage.mask;
  thread.signals.alt_stack = message.baggage.alt_stack;
  thread.remote.robust_head = message.baggage.robust_head;
  thread.remote.robust_bytes = message.baggage.robust_bytes;
  thread.remote.cpu_carry_ns += static_cast<int64_t>(message.baggage.cpu_ns);
  thread.remote.came_cpu_ns = board::kernel_thread_cpu_ns();
  thread.signals.make_again = false;
  if ((message.header.flags & channel::kAgain) != 0) resume_time_limit(thread.signals, message.baggage.time_left_ns);
  release_channel(thread);
  if ((message.header.flags & channel::kMove) != 0) ship_on_if_asked(thread);
  const uint32_t from = thread.remote.node;
  thread.remote.node = 0;
  begin_program(thread);
  board::count_migration(thread, 0);
  board::set_state(thread, abi::ThreadState::kRunning);
  if ((message.header.flags & channel::kForImage) != 0) thread.remote.called_from = from;
  else if ((message.header.flags & channel::kMove) != 0) park_at_home(thread, from);
  signals_arrive(thread, frame.context);
  enter_frame(thread, frame);
}

void ship(Thread& thread) {
  const int64_t fd = process().remote.channels.acquire(thread.remote.node);
  if (is_error(fd)) fail("no channel to node %d for thread %d: error %d", thread.remote.node, thread.tid, -fd);
  thread.remote.channel_fd = static_cast<int32_t>(fd);
  const Frame& frame = start_frame(thread);
  channel::Spawn message = {};
  message.header.type = channel::Type::kSpawn;
  message.header.flags = thread.signals.make_again ? channel::kAgain : 0;
  message.tid = thread.tid;
  message.pid = process().pid;
  message.set_tid = thread.remote.set_tid;
  message.baggage = baggage_of(thread, frame.context.mask);
  message.baggage.cpu_ns = board::kernel_thread_cpu_ns() + static_cast<uint64_t>(thread.remote.cpu_carry_ns);
  message.baggage.migrations = (thread.board != nullptr ? thread.board->migrations : 0) + (thread.remote.moving ? 1 : 0);
  message.baggage.time_left_ns = time_left_ns(thread.signals);
  message.registers = {frame.context, frame.fs_base, frame.gs_base};
  thread.signals.make_again = false;   // the worker knows
  channel::send(thread, message, frame.fp, frame.fp_bytes);
}

void on_started(Thread& thread) {
  __atomic_store_n(&thread.remote.started, true, __ATOMIC_SEQ_CST);
  if (!thread.remote.moving) return;
  thread.remote.moving = false;
  board::count_migration(thread, thread.remote.node);
}

}  // namespace

void shadow_main(Thread* thread_pointer) {
  Thread& thread = *thread_pointer;
  use_block_as_signal_stack(thread);
  thread.remote.kind = ThreadKind::kShadow;
  thread.remote.started = false;
  board::enter(thread, abi::ThreadState::kShadow, thread.remote.node);
  ship(thread);
  announce(thread);
  // A signal that was deferred when the thread left holds the others back until the worker has fetched it.
  if ((thread.signals.pending_word & kPendingSignal) == 0) set_mask(thread, start_frame(thread).context.mask);

  channel::Buffer buffer;
  buffer.size = buffer.taken = 0;
  for (;;) {
    if (announce(thread) != 0 && buffer.taken != 0 && buffer.header().type == channel::Type::kStarted)
      process().remote.channels.kick(thread.remote.node, thread.tid);
    channel::receive(thread, buffer);
    __atomic_store_n(&thread.remote.idle, false, __ATOMIC_SEQ_CST);
    switch (buffer.header().type) {
      case channel::Type::kStarted:
        on_started(thread);
        break;
      case channel::Type::kSyscall: serve_call(thread, buffer); break;
      case channel::Type::kClone: serve_clone(thread, buffer); break;
      case channel::Type::kSignalFetch: serve_fetch(thread, buffer.as<channel::SignalFetch>()); break;
      case channel::Type::kFault: serve_fault(thread, buffer.as<channel::Fault>()); break;
      case channel::Type::kMask:
        follow_mask(thread, buffer.as<channel::Mask>().mask);
        answer(thread, 0);
        break;
      case channel::Type::kExit: serve_exit(thread, buffer.as<channel::Exit>());
      case channel::Type::kHome: serve_home(thread, buffer);
      default: fail("BUG: message %d on the channel of thread %d", buffer.header().type, thread.tid);
    }
  }
}

}  // namespace dsm::runtime
