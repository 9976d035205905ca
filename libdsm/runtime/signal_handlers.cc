// SPDX-License-Identifier: Apache-2.0
// The runtime's signal handlers.
//
// Context: asynchronous signal handler on the stack of the thread's block. When program code was interrupted, the thread holds
// nothing of the runtime, and the handler may lock, ask the shadow and fault on program memory. When runtime code was
// interrupted it only records, adjusts the interrupted registers, and returns.
#include "libdsm/runtime/signal_handlers.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/channel_pool.h"
#include "libdsm/runtime/core_dump.h"
#include "libdsm/runtime/image_stop.h"
#include "libdsm/runtime/image_writer.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/migrate.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/stop_world.h"
#include "libdsm/runtime/sys.h"
#include "libdsm/runtime/trap.h"
#include "libdsm/runtime/worker.h"

namespace dsm::runtime {
namespace {

constexpr int32_t kSegvMapError = 1, kSegvAccessError = 2, kBusAddressError = 2;
constexpr int32_t kSiKernel = 0x80;

KernelSigInfo bad_frame_info() {
  KernelSigInfo info = {};
  info.signo = kSigSegv;
  info.code = kSiKernel;
  return info;
}

bool between(uint64_t address, const char* begin, const char* end) {
  return address >= reinterpret_cast<uint64_t>(begin) && address < reinterpret_cast<uint64_t>(end);
}

bool in_runtime_text(const UserContext& user) { return between(user.reg[kRip], __executable_start, etext); }

// The fault of an access to program memory by the runtime: the copy ends early instead.
bool end_user_copy(UserContext& user) {
  const uint64_t rip = user.reg[kRip];
  if (between(rip, dsm_user_copy_begin, dsm_user_copy_end))
    user.reg[kRip] = reinterpret_cast<uint64_t>(dsm_user_copy_fault);
  else if (between(rip, dsm_user_or_begin, dsm_user_or_end))
    user.reg[kRip] = reinterpret_cast<uint64_t>(dsm_user_or_fault);
  else
    return false;
  return true;
}

// RIP is before the end of the interruptible call. Was it made, and does the kernel want it made again?
const char* way_out_of_call(const UserContext& user) {
  const bool was_made = user.reg[kRip] == reinterpret_cast<uint64_t>(dsm_interruptible_instruction) &&
                        user.reg[kRcx] == reinterpret_cast<uint64_t>(dsm_interruptible_end);
  if (!was_made) return dsm_interruptible_abort;
  return user.reg[kRax] == __NR_restart_syscall ? dsm_interruptible_eintr : dsm_interruptible_restart;
}

// Something was recorded in pending_word: the two restartable windows must look again.
void leave_windows(UserContext& user) {
  const uint64_t rip = user.reg[kRip];
  if (between(rip, dsm_interruptible_begin, dsm_interruptible_end))
    user.reg[kRip] = reinterpret_cast<uint64_t>(way_out_of_call(user));
  else if (between(rip, dsm_trap_return_begin, dsm_trap_return_end))
    user.reg[kRip] = reinterpret_cast<uint64_t>(dsm_trap_return_begin);
}

void defer(Thread& thread, UserContext& user, const KernelSigInfo& info) {
  thread.signals.deferred = info;
  thread.signals.pending_word |= kPendingSignal;
  user.mask = ~(kSynchronousSignals | kUnblockableSignals);   // until it is delivered, the kernel keeps the others
  leave_windows(user);
  const ThreadRemote& remote = thread.remote;
  if (remote.kind == ThreadKind::kShadow && remote.idle && remote.started)
    process().remote.channels.kick(remote.node, thread.tid);
}

// A signal for program code that is being interrupted right now.
void deliver_now(Thread& thread, UserContext& user, const KernelSigInfo& info) {
  const KernelSigAction action = process().remote.signals.take(info.signo);
  if (action.handler == kHandlerIgnore) return;
  if (action.handler == kHandlerDefault) return act_by_default(info);
  thread.signals.restart_number = -1;                                   // no call is in progress
  deliver(thread, user, info, action, user.mask, user.mask);
}

void on_signal(int, KernelSigInfo* info, UserContext* user) {
  Thread& thread = current_thread();
  if (in_runtime_text(*user)) return defer(thread, *user, *info);
  deliver_now(thread, *user, *info);
}

// The process goes on. Its parent, the launcher, may be stopped, and only it can tell the other nodes. Children of the program have
// another parent.
void on_continue(int signal, KernelSigInfo* info, UserContext* user) {
  const LoneState& lone = process().lone;
  const bool is_first = !lone.alone && !lone.joined && current_thread().remote.kind != ThreadKind::kNativeChild;
  // A restored process does not see the launcher, which is in another PID namespace and hears of it as its parent only.
  const int64_t parent = sys(__NR_getppid);
  if (is_first && parent > 0) sys(__NR_kill, parent, kSigCont);
  if (process().remote.signals.get(signal).handler > kHandlerIgnore) return on_signal(signal, info, user);
  current_thread().signals.nudged = true;
}

// A synchronous fault at the origin with no handler: the instruction runs once more, with the kernel's default action. Behind a
// trap there is no instruction to repeat.
void refault_by_default(int signal, const KernelSigInfo& info) {
  if (signal == kSigTrap) die_by_signal(signal, info);
  const KernelSigAction plain = {kHandlerDefault, kSaRestorer, reinterpret_cast<uint64_t>(&dsm_restorer), 0};
  RT_MUST(sys(__NR_rt_sigaction, signal, &plain, nullptr, 8));
}

void on_fault(int signal, KernelSigInfo* info, UserContext* user) {
  const bool sent = info->code <= 0;   // by kill or tgkill, not by the instruction
  Thread& thread = current_thread();
  if (in_runtime_text(*user)) {
    if (sent) return defer(thread, *user, *info);
    if (end_user_copy(*user)) return;
    log("BUG: signal %d in the runtime at %x, address %x, thread %d", signal, user->reg[kRip], info->fault.address,
        thread.tid);
    return refault_by_default(signal, *info);
  }
  if (is_vessel()) return worker_fault(thread, *user, *info);
  const bool unmapped = signal == kSigSegv && info->code == kSegvMapError;
  if (unmapped && process().memory.grow_stack(info->fault.address)) return;
  const KernelSigAction action = process().remote.signals.get(signal);
  if (action.handler > kHandlerIgnore || sent) {
    return deliver_now(thread, *user, *info);
  }
  gather_memory_for_core();
  refault_by_default(signal, *info);
}

// A refusal that arrives when the runtime is running can only be one that the thread has already been told of; but should the
// runtime itself hang on a bad address, say so instead of going round for ever.
void stale_refusal(Thread& thread, const UserContext& user, uint64_t address) {
  constexpr uint32_t kTooMany = 1000;
  if (++thread.signals.stale_refusals < kTooMany) return;
  fail("BUG: refused access in the runtime at %x, address %x, thread %d", user.reg[kRip], address, thread.tid);
}

// The agent names a kernel thread. Once threads have moved, it may run another thread of the program by now, or serve as the
// shadow of the one that was refused: only the second refusal of an address in a row is believed.
bool may_be_anothers(Thread& thread, uint64_t address) {
  if (__atomic_load_n(&process().remote.threads_moved, __ATOMIC_RELAXED) == 0) return false;
  ThreadSignals& signals = thread.signals;
  const bool first = !signals.refused_once || signals.refused_address != address;
  signals.refused_once = first;
  signals.refused_address = address;
  return first;
}

// The agent's answer to an access that the address map refuses.
void on_refusal(int, KernelSigInfo* info, UserContext* user) {
  Thread& thread = current_thread();
  if (info->sent.pid == static_cast<int32_t>(sys(__NR_getpid))) {   // the program's own: the number is not its to use
    thread.signals.nudged = true;
    return;
  }
  const auto reason = static_cast<abi::Refusal>(info->error);
  const uint64_t address = info->sent.value;
  // A thread that was interrupted in its fault and faulted again may have been refused twice. From here on
  // our own accesses may be refused.
  const uint64_t only = signal_bit(abi::kSignalRefusal);
  const uint64_t no_time[2] = {0, 0};
  while (!is_error(sys(__NR_rt_sigtimedwait, &only, nullptr, no_time, 8))) {
  }
  if (may_be_anothers(thread, address)) return;   // if it is this thread's, the instruction is refused once more
  if (in_runtime_text(*user)) {
    if (!end_user_copy(*user)) stale_refusal(thread, *user, address);
    return;
  }
  RT_MUST(sys(__NR_rt_sigprocmask, 1 /*SIG_UNBLOCK*/, &only, nullptr, 8));
  if (reason == abi::Refusal::kPinned && is_vessel()) return migrate_home(thread, *user);
  KernelSigInfo fault = {};
  fault.signo = reason == abi::Refusal::kBeyondFile ? kSigBus : kSigSegv;
  fault.code = reason == abi::Refusal::kUnmapped     ? kSegvMapError
               : reason == abi::Refusal::kProtection ? kSegvAccessError
                                                     : kBusAddressError;
  fault.fault.address = address;
  user->reg[kCr2] = address;
  user->reg[kTrapNumber] = 14;                                             // page fault
  user->reg[kErrorCode] = reason == abi::Refusal::kProtection ? 0x7 : 0x4;   // user mode; protection and write
  raise_fault(thread, *user, fault);
}

void on_kick(int, KernelSigInfo*, UserContext* user) {
  Thread& thread = current_thread();
  thread.signals.nudged = true;
  if (!is_vessel()) {
    on_move_kick(thread, *user, in_runtime_text(*user));
    return leave_windows(*user);
  }
  if (thread.remote.kind != ThreadKind::kBusyWorker) return;
  if (in_runtime_text(*user)) {
    thread.signals.pending_word |= kPendingKick;
    return leave_windows(*user);
  }
  thread.signals.restart_number = -1;
  worker_fetch_signal(thread, *user);
}

void on_stop(int, KernelSigInfo*, UserContext* user) {
  Thread& thread = current_thread();
  thread.signals.nudged = true;
  if (!is_vessel()) return park_until_released(thread);
  if (thread.remote.kind != ThreadKind::kBusyWorker) return;
  if (!in_runtime_text(*user)) worker_abandon(thread);
  thread.signals.pending_word |= kPendingAbandon;
  leave_windows(*user);
}

using Handler = void (*)(int, KernelSigInfo*, UserContext*);

KernelSigAction kernel_handler(Handler handler, void (*restorer)(), uint64_t flags, uint64_t mask) {
  return {reinterpret_cast<uint64_t>(handler), kSaSigInfo | kSaOnStack | kSaRestorer | flags,
          reinterpret_cast<uint64_t>(restorer), mask};
}

// While one of our handlers runs: everything waits but what the handler itself may raise (accesses to program memory).
constexpr uint64_t kHandlerMask = ~(kSynchronousSignals | signal_bit(kSigSys) | signal_bit(abi::kSignalRefusal));

void install(int signal, Handler handler, uint64_t flags, uint64_t mask) {
  const KernelSigAction action = kernel_handler(handler, &dsm_restorer, flags, mask);
  RT_MUST(sys(__NR_rt_sigaction, signal, &action, nullptr, 8));
}

void deliver_deferred(Thread& thread, UserContext& user) {
  ThreadSignals& signals = thread.signals;
  const KernelSigInfo info = signals.deferred;
  const uint64_t base_mask = signals.has_wait_mask ? signals.wait_mask : user.mask;
  const KernelSigAction action = process().remote.signals.take(info.signo);
  if (action.handler <= kHandlerIgnore) {
    if (action.handler == kHandlerDefault) act_by_default(info);
    return restart_interrupted(thread, user);
  }
  deliver(thread, user, info, action, user.mask, base_mask);
}

}  // namespace

void signals_arrive(Thread& thread, UserContext& user) {
  ThreadSignals& signals = thread.signals;
  // The worker has done what follows from the last call.
  signals.not_made = signals.restartable = signals.has_wait_mask = false;
  signals.restart_number = -1;
  const bool deferred = (signals.pending_word & kPendingSignal) != 0;
  signals.pending_word = 0;
  if (!deferred) return;
  exchange_kernel_mask(~(kSynchronousSignals | signal_bit(abi::kSignalRefusal)));   // the program's stack may be bad
  deliver_deferred(thread, user);
}

void on_sent_trap_signal(KernelSigInfo* info, UserContext* user) {
  Thread& thread = current_thread();
  block_all_signals();
  if (process().remote.signals.get(kSigSys).handler == kHandlerDefault) die_by_signal(kSigSys, *info);
  if (!in_runtime_text(*user)) {
    // What interrupted this handler before it could block the others goes first.
    if ((thread.signals.pending_word & kPendingSignal) != 0) return requeue_signal(*info);
    return deliver_now(thread, *user, *info);
  }
  if ((thread.signals.pending_word & kPendingSignal) != 0) {
    requeue_signal(*info);
    user->mask |= signal_bit(kSigSys);   // the runtime's own calls raise none
  } else {
    defer(thread, *user, *info);
  }
  dsm_enter_program(user);   // not by way of the trap's restorer: it is not the program that goes on
}

KernelSigAction handler_for_program(int signal, uint64_t extra) {
  (void)signal;
  return kernel_handler(on_signal, &dsm_restorer, extra | kSaRestart, kHandlerMask);   // sys.h says why always
}

void signal_install() {
  process().remote.signals.initialise();
  const KernelSigAction trap = kernel_handler(trap_entry, &dsm_trap_restorer, kSaNoDefer, 0);
  RT_MUST(sys(__NR_rt_sigaction, kSigSys, &trap, nullptr, 8));
  for (int signal = 1; signal <= kSignals; signal++)
    if ((kSynchronousSignals & signal_bit(signal)) != 0) install(signal, on_fault, kSaNoDefer, kHandlerMask);
  install(abi::kSignalRefusal, on_refusal, 0, kHandlerMask);
  install(abi::kSignalKick, on_kick, is_vessel() ? 0 : kSaRestart, kHandlerMask);
  install(abi::kSignalStop, on_stop, is_vessel() ? 0 : kSaRestart, kHandlerMask);
  if (!is_vessel()) install(kSigCont, on_continue, kSaRestart, kHandlerMask);
  uint64_t mask = 0;
  RT_MUST(sys(__NR_rt_sigprocmask, 1 /*SIG_UNBLOCK*/, &kReservedSignals, &mask, 8));
}

void deliver(Thread& thread, UserContext& user, const KernelSigInfo& info, const KernelSigAction& action,
             uint64_t saved_mask, uint64_t base_mask) {
  const ThreadSignals& signals = thread.signals;
  if (signals.not_made || ((action.flags & kSaRestart) != 0 && signals.restartable)) restart_interrupted(thread, user);
  thread.signals.make_again = false;   // after a handler a time limit begins anew
  thread.signals.restart_number = -1;
  thread.signals.has_wait_mask = false;
  if (enter_handler(thread, user, info, action, saved_mask, base_mask)) return;
  if (info.signo == kSigSegv) die_of_bad_frame(thread);
  raise_fault(thread, user, bad_frame_info());   // its handler may have a stack of its own
}

void raise_fault(Thread& thread, UserContext& user, const KernelSigInfo& fault) {
  if (is_vessel()) return worker_fault(thread, user, fault);
  const bool blocked = (user.mask & signal_bit(fault.signo)) != 0;
  if (blocked || process().remote.signals.get(fault.signo).handler <= kHandlerIgnore) die_by_signal(fault.signo, fault);
  deliver_now(thread, user, fault);
}

void die_of_bad_frame(Thread& thread) {
  const KernelSigInfo fatal = bad_frame_info();
  if (is_vessel()) worker_die(thread, fatal);
  die_by_signal(kSigSegv, fatal);
}

void restart_interrupted(Thread& thread, UserContext& user) {
  ThreadSignals& signals = thread.signals;
  if (signals.restart_number < 0 || static_cast<int64_t>(user.reg[kRax]) != -EINTR) return;
  user.reg[kRax] = static_cast<uint64_t>(signals.restart_number);
  user.reg[kRip] -= 2;   // the program's syscall instruction
  signals.restart_number = -1;
  signals.make_again = true;
}

extern "C" const uint32_t* dsm_pending_word() { return &current_thread().signals.pending_word; }

extern "C" void dsm_deliver_pending(UserContext* user) {
  Thread& thread = current_thread();
  uint32_t& word = thread.signals.pending_word;
  if ((word & kPendingAbandon) != 0) worker_abandon(thread);
  // An interrupting handler may add a bit between the test and the change, hence the locked instructions.
  if ((word & kPendingKick) != 0) {
    __atomic_fetch_and(&word, ~kPendingKick, __ATOMIC_RELAXED);
    return worker_fetch_signal(thread, *user);
  }
  if ((word & kPendingSignal) != 0) {
    __atomic_fetch_and(&word, ~kPendingSignal, __ATOMIC_RELAXED);
    return deliver_deferred(thread, *user);
  }
  if ((word & kPendingMove) != 0) {
    __atomic_fetch_and(&word, ~kPendingMove, __ATOMIC_RELAXED);
    restart_interrupted(thread, *user);   // the kick may have interrupted a call
    checkpoint_if_asked(thread, *user);
    park_for_image(thread, *user);
    move_if_asked(thread, *user);
  }
}

}  // namespace dsm::runtime
