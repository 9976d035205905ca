// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/worker.h"

#include "libdsm/runtime/atomics.h"
#include "libdsm/runtime/channel.h"
#include "libdsm/runtime/delegate.h"
#include "libdsm/runtime/migrate.h"
#include "libdsm/runtime/register_frame.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signal_handlers.h"
#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/time_limit.h"
#include "libdsm/runtime/trap.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

// Makes the block that of the program's thread in `spawn`.
void adopt(Thread& thread, const channel::Spawn& spawn) {
  const ThreadRemote before = thread.remote;
  thread.tid = spawn.tid;
  thread.signals = {};
  thread.signals.restart_number = -1;
  thread.signals.virtual_mask = spawn.baggage.mask;
  thread.signals.shadow_mask = spawn.baggage.mask;
  thread.signals.alt_stack = spawn.baggage.alt_stack;
  if ((spawn.header.flags & channel::kAgain) != 0) resume_time_limit(thread.signals, spawn.baggage.time_left_ns);
  thread.remote = {};
  thread.remote.kind = ThreadKind::kIdleWorker;
  thread.remote.channel_fd = before.channel_fd;
  thread.remote.node = process().welcome.node;
  thread.remote.robust_head = spawn.baggage.robust_head;
  thread.remote.robust_bytes = spawn.baggage.robust_bytes;
  thread.remote.came_cpu_ns = spawn.baggage.migrations != 0 ? board::kernel_thread_cpu_ns() : 0;
  thread.remote.cpu_carry_ns = static_cast<int64_t>(spawn.baggage.cpu_ns - board::kernel_thread_cpu_ns());
}

[[noreturn]] void run(Thread& thread, const channel::Spawn& spawn, const uint8_t* fp, size_t fp_bytes) {
  adopt(thread, spawn);
  // As the program's process names itself, which is what its threads must hear: in a PID namespace (a restored program) the
  // launcher names it otherwise.
  store_relaxed(process().pid, spawn.pid);
  Frame& frame = start_frame(thread);
  unpack_registers(frame, spawn.registers, fp, fp_bytes);
  frame.context.mask = 0;   // the vessel's kernel holds nothing back from the program's thread
  const uint32_t generation = __atomic_load_n(&process().remote.generation, __ATOMIC_SEQ_CST);
  if (spawn.set_tid != 0) write_program(spawn.set_tid, thread.tid);   // a bad address is the program's affair, as in the kernel
  board::enter(thread, abi::ThreadState::kRunning, thread.remote.node);
  if (thread.board != nullptr) thread.board->migrations = spawn.baggage.migrations;
  board::count_creation(0);   // a vessel's board counts the threads that it was given

  // Kicks and stops wait from here until the program's first instruction, where they find it interruptible.
  block_all_signals();
  store_ordered(thread.remote.kind, ThreadKind::kBusyWorker);
  if (__atomic_load_n(&process().remote.generation, __ATOMIC_SEQ_CST) != generation) worker_abandon(thread);
  channel::Started started = {{0, channel::Type::kStarted, 0}};
  channel::send(thread, started);
  enter_frame(thread, frame);
}

// The answer to kSignalFetch or kFault.
void ask_for_signal(Thread& thread, channel::Buffer& buffer, void* question, size_t bytes) {
  channel::send_bytes(thread, question, bytes, nullptr, 0);
  buffer.size = buffer.taken = 0;
  channel::receive(thread, buffer);
  RT_CHECK(buffer.header().type == channel::Type::kSignal);
}

// Enters the handler that the shadow has named, and knows the mask that the shadow has taken on.
void enter_answer(Thread& thread, UserContext& user, const channel::Signal& answer) {
  deliver(thread, user, answer.info, answer.action, thread.signals.virtual_mask, answer.base_mask);
  thread.signals.shadow_mask = thread.signals.virtual_mask;
}

}  // namespace

void worker_main(Thread* thread_pointer) {
  Thread& thread = *thread_pointer;
  thread.kernel_tid = static_cast<int32_t>(sys(__NR_gettid));
  use_block_as_signal_stack(thread);
  exchange_kernel_mask(~(kSynchronousSignals | kReservedSignals));
  store_ordered(thread.remote.kind, ThreadKind::kIdleWorker);
  channel::Buffer buffer;
  buffer.size = buffer.taken = 0;
  channel::receive(thread, buffer);
  RT_CHECK(buffer.header().type == channel::Type::kSpawn);
  run(thread, buffer.as<channel::Spawn>(), buffer.tail(), buffer.header().bytes);
}

void worker_wait(Thread& thread) {
  trap_off();
  block_all_signals();
  store_ordered(thread.remote.kind, ThreadKind::kIdleWorker);
  thread.tid = 0;
  dsm_run_on_stack(worker_main, &thread, start_stack_top(thread));
}

void worker_finish(Thread& thread, int64_t status) {
  board::leave(thread);   // before the message: the process may end as soon as the thread is joined
  channel::Exit message = {};
  message.header.type = channel::Type::kExit;
  message.status = status;
  message.robust_head = thread.remote.robust_head;
  message.robust_bytes = thread.remote.robust_bytes;
  message.cpu_ns = thread.board != nullptr ? thread.board->cpu_ns : 0;
  // Last: the next thread may be spawned on this channel at once.
  channel::send(thread, message);
  worker_wait(thread);
}

void worker_abandon(Thread& thread) {
  trap_off();
  block_all_signals();
  board::leave(thread);
  process().private_fds.close(thread.remote.channel_fd);
  thread.tid = 0;
  ThreadPool::give_back(thread);
  for (;;) sys(__NR_exit, 0);
}

void worker_fetch_signal(Thread& thread, UserContext& user) {
  channel::Buffer buffer;
  do {
    const auto flags = static_cast<uint16_t>((may_move_at(user) ? channel::kMayMove : 0) | (is_settled(thread) ? channel::kSettled : 0));
    channel::SignalFetch question = {{0, channel::Type::kSignalFetch, flags}, thread.signals.virtual_mask};
    ask_for_signal(thread, buffer, &question, sizeof question);
    thread.signals.shadow_mask = thread.signals.virtual_mask;
    const auto& answer = buffer.as<channel::Signal>();
    if ((answer.header.flags & channel::kPresent) != 0)
      enter_answer(thread, user, answer);
    else
      restart_interrupted(thread, user);
    if ((answer.header.flags & channel::kMove) != 0) migrate_home(thread, user, channel::kMove);
  } while ((buffer.header().flags & channel::kHasSignal) != 0);
}

void worker_fault(Thread& thread, UserContext& user, const KernelSigInfo& info) {
  channel::Fault question = {{0, channel::Type::kFault, 0}, thread.signals.virtual_mask, info};
  channel::Buffer buffer;
  ask_for_signal(thread, buffer, &question, sizeof question);
  thread.signals.restart_number = -1;
  const auto& answer = buffer.as<channel::Signal>();
  if ((answer.header.flags & channel::kPresent) != 0)   // else a stack has grown: the access is made again
    enter_answer(thread, user, answer);                 // without a handler there is no answer: the process is dead
  if ((answer.header.flags & channel::kHasSignal) != 0) worker_fetch_signal(thread, user);
}

void worker_die(Thread& thread, const KernelSigInfo& info) {
  channel::Fault question = {{0, channel::Type::kFault, 0}, ~0ull, info};   // blocked, so no handler is asked
  channel::Buffer buffer;
  ask_for_signal(thread, buffer, &question, sizeof question);
  fail("BUG: the process survived signal %d", info.signo);
}

}  // namespace dsm::runtime
