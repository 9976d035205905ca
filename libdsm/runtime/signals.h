// SPDX-License-Identifier: Apache-2.0
// Signals of the program, made by the runtime: it owns every kernel handler, builds the program's signal frames itself and
// defers what hits runtime code.
//
// A signal that interrupts the program is delivered at once. One that interrupts the runtime is stored in the thread's
// block, all others are blocked, and an interruptible system call in progress (or about to start) returns -EINTR. The
// return path of the trap handler delivers it. At a shadow the worker is told and fetches it (shadow.h).
//
// "In the runtime" means RIP in the runtime's text: the vdso lies in the reserved range, but it is program code.
#pragma once
#include "libdsm/runtime/abi.h"
#include "libdsm/runtime/dispatch.h"
#include "libdsm/runtime/signal_table.h"
#include "libdsm/runtime/thread.h"

namespace dsm::runtime {

inline constexpr int kSigIll = 4, kSigTrap = 5, kSigAbrt = 6, kSigBus = 7, kSigFpe = 8, kSigKill = 9, kSigSegv = 11, kSigPipe = 13,
                     kSigChld = 17, kSigCont = 18, kSigStop = 19, kSigSys = 31;
inline constexpr uint64_t kSaNoChildStop = 1, kSaNoChildWait = 2, kSaSigInfo = 4, kSaOnStack = 0x08000000,
                          kSaRestart = 0x10000000, kSaNoDefer = 0x40000000, kSaResetHand = 0x80000000,
                          kSaRestorer = 0x04000000;

// Raised by the instruction that is interrupted, so they can never wait.
inline constexpr uint64_t kSynchronousSignals = signal_bit(kSigIll) | signal_bit(kSigTrap) | signal_bit(kSigBus) |
                                                signal_bit(kSigFpe) | signal_bit(kSigSegv);
// Their handler in the kernel is the runtime's own, whatever the program's action says. SIGCONT: the other nodes go on, too.
inline constexpr uint64_t kAlwaysOurs = kSynchronousSignals | signal_bit(kSigCont) | signal_bit(kSigSys) |
                                        signal_bit(abi::kSignalRefusal) | signal_bit(abi::kSignalKick) |
                                        signal_bit(abi::kSignalStop);
inline constexpr int32_t kSiTkill = -6;
// Never in a kernel mask on the program's behalf.
inline constexpr uint64_t kReservedSignals = signal_bit(kSigSys) | signal_bit(abi::kSignalRefusal) |
                                             signal_bit(abi::kSignalKick) | signal_bit(abi::kSignalStop);
inline constexpr uint64_t kUnblockableSignals = kReservedSignals | signal_bit(kSigKill) | signal_bit(kSigStop);
constexpr uint64_t without_reserved(uint64_t mask) { return mask & ~kUnblockableSignals; }

// All of the runtime's kernel handlers, for the role of this process; unblocks the reserved signals. Once, at start, before
// trap_on().
void signal_install();

// The kernel's mask of this thread. block_all leaves the synchronous ones.
uint64_t exchange_kernel_mask(uint64_t mask);
inline uint64_t block_all_signals() { return exchange_kernel_mask(~kSynchronousSignals); }

// The program's mask of the thread whose registers are in `user`.
uint64_t program_mask(const Thread& thread, const UserContext& user);
void set_program_mask(Thread& thread, UserContext& user, uint64_t mask);

// A call that may sleep: natively, interruptible, remembered for a restart. `wait_mask`: the program's mask while the
// call waits (rt_sigsuspend, ppoll ...), or nullptr. What interrupts the call without being the program's affair is not seen:
// the call goes on, and ends when its first time limit says.
int64_t blocking_call(Call& call, const uint64_t* wait_mask = nullptr);
// The call in progress has been interrupted: what restart_interrupted needs.
void remember_for_restart(const Call& call);

// Makes `user` enter the handler of `action`: pushes the kernel's frame on the program's stack. `saved_mask` is what the handler's
// return restores, `base_mask` what its own mask is added to. False: the stack is not writable.
bool enter_handler(Thread& thread, UserContext& user, const KernelSigInfo& info, const KernelSigAction& action,
                   uint64_t saved_mask, uint64_t base_mask);

// The process dies because a signal frame cannot be written or read; in both roles.
[[noreturn]] void die_of_bad_frame(Thread& thread);

// The process dies by `signal`, as its default action says; at the origin only.
[[noreturn]] void die_by_signal(int signal, const KernelSigInfo& info);

// A signal of the program goes back to the kernel, for this thread, with all its data.
void requeue_signal(const KernelSigInfo& info);
// The default action, as soon as the signal is not blocked.
void act_by_default(const KernelSigInfo& info);
// The thread ends with this signal deferred: if it was meant for the process, another one gets it.
void hand_on_signal(const KernelSigInfo& info);

// rt_sigreturn: the frame at the program's stack pointer becomes the state in `user`. False: the frame is not readable.
bool leave_handler(Thread& thread, UserContext& user);

}  // namespace dsm::runtime
