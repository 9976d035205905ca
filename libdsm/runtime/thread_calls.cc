// SPDX-License-Identifier: Apache-2.0
// The thread family: creation and end of threads, their identity, futexes.
//
// Context: as dispatch.h says of handlers.
#include <asm-generic/errno.h>
#include <asm/prctl.h>

#include "libdsm/runtime/clone.h"
#include "libdsm/runtime/delegate.h"
#include "libdsm/runtime/futex.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/thread_exit.h"
#include "libdsm/runtime/trap.h"
#include "libdsm/runtime/uaccess.h"
#include "libdsm/runtime/worker.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kRobustHeadBytes = 24;

int64_t clone_here(Call& call) {
  channel::CloneRequest request;
  if (const int64_t error = read_clone_request(call, request); error != 0) return error;
  CloneParent parent = {call.thread, {}, program_mask(call.thread, *call.user), call.thread.signals.alt_stack};
  capture_frame(parent.frame, *call.user);
  return clone_program(parent, request);
}

int64_t clone_from_vessel(Call& call) {
  channel::CloneRequest request;
  if (const int64_t error = read_clone_request(call, request); error != 0) return error;
  return delegate_clone(call, request);
}

int64_t exit_here(Call& call) { thread_exit(call.thread, static_cast<int64_t>(call.arg[0])); }
int64_t exit_in_vessel(Call& call) { worker_finish(call.thread, static_cast<int64_t>(call.arg[0])); }

int64_t get_tid(Call& call) { return call.thread.tid; }

int64_t set_tid_address(Call& call) {
  call.thread.remote.clear_tid = call.arg[0];
  return call.thread.tid;
}

// Kept where the thread runs, and sent along when it moves or ends.
int64_t set_robust_list(Call& call) {
  if (call.arg[1] != kRobustHeadBytes) return -EINVAL;
  call.thread.remote.robust_head = call.arg[0];
  call.thread.remote.robust_bytes = call.arg[1];
  return 0;
}

int64_t get_robust_list(Call& call) {
  const auto tid = static_cast<int32_t>(call.arg[0]);
  const Thread* thread = tid == 0 || tid == call.thread.tid ? &call.thread : process().threads.find(tid);
  if (thread == nullptr) return -ESRCH;
  if (const int64_t error = write_program(call.arg[1], thread->remote.robust_head); error != 0) return error;
  return write_program(call.arg[2], kRobustHeadBytes);
}

int64_t get_robust_list_in_vessel(Call& call) {
  const auto tid = static_cast<int32_t>(call.arg[0]);
  return tid == 0 || tid == call.thread.tid ? get_robust_list(call) : delegate(call);
}

// FS and GS are the only ones that a program of ours can ask for; the rest is the kernel's answer.
int64_t arch_prctl(Call& call) {
  uint64_t base = 0;
  switch (call.arg[0]) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
      return syscall6(call.number, call.arg[0], call.arg[1], 0, 0, 0, 0);
    case ARCH_GET_FS:
    case ARCH_GET_GS: {
      const int64_t error = sys(__NR_arch_prctl, call.arg[0], &base);
      return error != 0 ? error : write_program(call.arg[1], base);
    }
    default:
      return -EINVAL;
  }
}

constexpr CallRule kRules[] = {
    {__NR_clone, CallClass::kDelegated, 0, 0, clone_here, clone_from_vessel},
    {__NR_clone3, CallClass::kDelegated, 0, 0, clone_here, clone_from_vessel},
    {__NR_fork, CallClass::kDelegated, 0, 0, clone_here, clone_from_vessel},
    {__NR_vfork, CallClass::kDelegated, 0, 0, clone_here, clone_from_vessel},
    {__NR_exit, CallClass::kLocal, 0, 0, exit_here, exit_in_vessel},
    {__NR_gettid, CallClass::kLocal, 0, 0, get_tid, get_tid},
    {__NR_set_tid_address, CallClass::kDelegated, 0, 0, set_tid_address, nullptr},
    {__NR_set_robust_list, CallClass::kLocal, 0, 0, set_robust_list, set_robust_list},
    {__NR_get_robust_list, CallClass::kDelegated, 0, 0, get_robust_list, get_robust_list_in_vessel},
    {__NR_arch_prctl, CallClass::kLocal, 0, 0, arch_prctl, arch_prctl},
    {__NR_futex, CallClass::kDelegated, kMayBlock, 0, futex_call, nullptr},
    // The kernel would write to the thread's memory at each of its preemptions, here and at its shadow: a page that bounces
    // between the nodes, and that a shadow may have to wait for while a fork has frozen it. C libraries do without.
    {__NR_rseq, CallClass::kRefused, 0, ENOSYS, nullptr, nullptr},
};

}  // namespace

CallRules thread_call_rules() { return rules_of(kRules); }

}  // namespace dsm::runtime
