// SPDX-License-Identifier: Apache-2.0
// The signal family: actions, masks, the alternate stack, and the calls that wait with a mask of their own.
//
// Context: as dispatch.h says of handlers.
#include <asm-generic/errno.h>

#include "libdsm/runtime/delegate.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kMaskBytes = 8;
constexpr uint64_t kBlock = 0, kUnblock = 1, kSetMask = 2;
constexpr uint32_t kStackOn = 1, kStackDisabled = 2, kStackAutoDisarm = 1u << 31;
constexpr uint64_t kMinStackBytes = 2048;

int64_t rt_sigaction(Call& call) {
  if (call.arg[3] != kMaskBytes) return -EINVAL;
  const auto signal = static_cast<int>(call.arg[0]);
  KernelSigAction change, before;
  if (call.arg[1] != 0 && read_program(change, call.arg[1]) != 0) return -EFAULT;
  const int64_t error = process().remote.signals.exchange(signal, call.arg[1] != 0 ? &change : nullptr, &before);
  if (error != 0) return error;
  return call.arg[2] != 0 ? write_program(call.arg[2], before) : 0;
}

int64_t rt_sigprocmask(Call& call) {
  if (call.arg[3] != kMaskBytes) return -EINVAL;
  Thread& thread = call.thread;
  const uint64_t before = program_mask(thread, *call.user);
  if (call.arg[1] != 0) {
    uint64_t set, mask;
    if (read_program(set, call.arg[1]) != 0) return -EFAULT;
    switch (call.arg[0]) {
      case kBlock: mask = before | set; break;
      case kUnblock: mask = before & ~set; break;
      case kSetMask: mask = set; break;
      default: return -EINVAL;
    }
    set_program_mask(thread, *call.user, mask);
    mask = program_mask(thread, *call.user);
    // At once: what it unblocks may be waiting, and what it blocks must not be taken any more.
    if (is_vessel() && thread.signals.shadow_mask != mask) delegate_mask(thread, mask);
  }
  return call.arg[2] != 0 ? write_program(call.arg[2], before) : 0;
}

int64_t rt_sigreturn(Call& call) {
  if (leave_handler(call.thread, *call.user)) {
    Thread& thread = call.thread;
    const uint64_t mask = thread.signals.virtual_mask;
    if (is_vessel() && thread.signals.shadow_mask != mask) delegate_mask(thread, mask);
    return kNoResult;
  }
  die_of_bad_frame(call.thread);
}

int64_t sigaltstack(Call& call) {
  AltStack& stack = call.thread.signals.alt_stack;
  const uint64_t sp = call.user->reg[kRsp];
  const bool set = stack.size != 0 && (stack.flags & kStackDisabled) == 0;
  const bool standing_on_it = set && (stack.flags & kStackAutoDisarm) == 0 && sp > stack.base && sp - stack.base <= stack.size;
  AltStack before = stack;
  before.flags = !set ? kStackDisabled : stack.flags | (standing_on_it ? kStackOn : 0);
  before.pad = 0;
  if (call.arg[0] != 0) {
    AltStack change;
    if (read_program(change, call.arg[0]) != 0) return -EFAULT;
    if (standing_on_it) return -EPERM;
    const uint32_t mode = change.flags & ~kStackAutoDisarm;
    if (mode != 0 && mode != kStackOn && mode != kStackDisabled) return -EINVAL;
    if (mode == kStackDisabled)
      change = AltStack{0, change.flags, 0, 0};
    else if (change.size < kMinStackBytes)
      return -ENOMEM;
    change.flags &= ~kStackOn;
    stack = change;
  }
  return call.arg[1] != 0 ? write_program(call.arg[1], before) : 0;
}

// rt_sigsuspend, ppoll, pselect6, epoll_pwait: the wait's mask comes from the program, without what is ours.
struct WaitMask {
  uint64_t mask;
  int64_t error;
};
WaitMask read_wait_mask(uint64_t address, uint64_t bytes) {
  WaitMask wait = {0, 0};
  if (bytes != kMaskBytes) return {0, -EINVAL};
  wait.error = read_program(wait.mask, address);
  wait.mask = without_reserved(wait.mask);
  return wait;
}

// The mask is argument `index`, its size the next one.
int64_t wait_with_mask(Call& call, unsigned index) {
  if (call.arg[index] == 0) return blocking_call(call);
  const WaitMask wait = read_wait_mask(call.arg[index], call.arg[index + 1]);
  if (wait.error != 0) return wait.error;
  call.arg[index] = reinterpret_cast<uint64_t>(&wait.mask);
  return blocking_call(call, &wait.mask);
}

int64_t rt_sigsuspend(Call& call) { return wait_with_mask(call, 0); }
int64_t ppoll(Call& call) { return wait_with_mask(call, 3); }
int64_t epoll_pwait(Call& call) { return wait_with_mask(call, 4); }

int64_t pselect6(Call& call) {
  struct {
    uint64_t mask, bytes;
  } where;
  if (call.arg[5] == 0) return blocking_call(call);
  if (read_program(where, call.arg[5]) != 0) return -EFAULT;
  if (where.mask == 0) return blocking_call(call);
  const WaitMask wait = read_wait_mask(where.mask, where.bytes);
  if (wait.error != 0) return wait.error;
  where.mask = reinterpret_cast<uint64_t>(&wait.mask);
  call.arg[5] = reinterpret_cast<uint64_t>(&where);
  return blocking_call(call, &wait.mask);
}

int64_t rt_sigtimedwait(Call& call) {
  if (call.arg[3] != kMaskBytes) return -EINVAL;
  uint64_t set;
  if (read_program(set, call.arg[0]) != 0) return -EFAULT;
  set = without_reserved(set);
  call.arg[0] = reinterpret_cast<uint64_t>(&set);
  return blocking_call(call);
}

int64_t signalfd(Call& call) {
  if (call.arg[2] != kMaskBytes) return -EINVAL;
  uint64_t set;
  if (read_program(set, call.arg[1]) != 0) return -EFAULT;
  set = without_reserved(set);
  return syscall6(call.number, call.arg[0], reinterpret_cast<uint64_t>(&set), kMaskBytes, call.arg[3], 0, 0);
}

constexpr CallRule kRules[] = {
    {__NR_rt_sigaction, CallClass::kDelegated, 0, 0, rt_sigaction, nullptr},
    {__NR_rt_sigprocmask, CallClass::kLocal, 0, 0, rt_sigprocmask, rt_sigprocmask},
    {__NR_rt_sigreturn, CallClass::kLocal, 0, 0, rt_sigreturn, rt_sigreturn},
    {__NR_sigaltstack, CallClass::kLocal, 0, 0, sigaltstack, sigaltstack},
    {__NR_rt_sigsuspend, CallClass::kDelegated, kMayBlock, 0, rt_sigsuspend, nullptr},
    {__NR_rt_sigtimedwait, CallClass::kDelegated, kMayBlock, 0, rt_sigtimedwait, nullptr},
    {__NR_ppoll, CallClass::kDelegated, kMayBlock, 0, ppoll, nullptr},
    {__NR_pselect6, CallClass::kDelegated, kMayBlock, 0, pselect6, nullptr},
    {__NR_epoll_pwait, CallClass::kDelegated, kMayBlock, 0, epoll_pwait, nullptr},
    {__NR_epoll_pwait2, CallClass::kDelegated, kMayBlock, 0, epoll_pwait, nullptr},
    {__NR_signalfd, CallClass::kDelegated, 0, 0, signalfd, nullptr},
    {__NR_signalfd4, CallClass::kDelegated, 0, 0, signalfd, nullptr},
};

}  // namespace

CallRules signal_call_rules() { return rules_of(kRules); }

}  // namespace dsm::runtime
