// SPDX-License-Identifier: Apache-2.0
// The system calls of a lone process that have other rules than those of a distributed one (lone_process.h). Memory calls go to the
// kernel, which alone knows what is mapped; they only must not reach the runtime's own range. The break is the runtime's to
// move: the kernel's lies behind the runtime's image.
//
// Context: as dispatch.h says of handlers, at the origin.
#include <asm-generic/errno.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "libdsm/runtime/clone.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/trap.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

int64_t native(Call& call) {
  return syscall6(call.number, call.arg[0], call.arg[1], call.arg[2], call.arg[3], call.arg[4], call.arg[5]);
}

bool reaches_runtime(uint64_t start, uint64_t bytes) {
  return start < abi::kRuntimeEnd && start + bytes > abi::kRuntimeBegin && start + bytes > start;
}

// ---- Memory -----------------------------------------------------------------------------------------------------
int64_t lone_mmap(Call& call) {
  constexpr uint64_t kFixed = MAP_FIXED | MAP_FIXED_NOREPLACE;
  const uint64_t flags = call.arg[3];
  if ((flags & MAP_ANONYMOUS) == 0 && process().private_fds.is_private(static_cast<int32_t>(call.arg[4]))) return -EBADF;
  if (reaches_runtime(call.arg[0], call.arg[1])) {
    if ((flags & kFixed) != 0) return (flags & MAP_FIXED_NOREPLACE) != 0 ? -EEXIST : -ENOMEM;
    call.arg[0] = 0;
  }
  return native(call);
}

template <int64_t error>
int64_t outside_runtime(Call& call) {
  return reaches_runtime(call.arg[0], call.arg[1]) ? error : native(call);
}

int64_t lone_mremap(Call& call) {
  if (reaches_runtime(call.arg[0], call.arg[1])) return -EFAULT;
  if ((call.arg[3] & MREMAP_FIXED) != 0 && reaches_runtime(call.arg[4], call.arg[2])) return -EINVAL;
  return native(call);
}

int64_t lone_brk(Call& call) { return process().memory.set_native_break(call.arg[0]); }

// ---- Processes --------------------------------------------------------------------------------------------------
// The end of the runtime's part: signals, alternate stack and what belongs to the thread's exit become the kernel's business, and the
// program makes this call again, natively.
int64_t let_go(Call& call) {
  Thread& thread = call.thread;
  Process& self = process();
  self.remote.signals.install_natively();
  if (thread.remote.clear_tid != 0) sys(__NR_set_tid_address, thread.remote.clear_tid);
  if (thread.remote.robust_head != 0) sys(__NR_set_robust_list, thread.remote.robust_head, thread.remote.robust_bytes);
  set_program_stack(*call.user, thread.signals.alt_stack);
  self.private_fds.close_all();
  self.lone.launcher_fd = 0;
  call.user->reg[kRax] = static_cast<uint64_t>(call.number);
  call.user->reg[kRip] -= 2;
  trap_off();
  return kNoResult;
}

int64_t lone_clone(Call& call) {
  channel::CloneRequest request;
  if (const int64_t error = read_clone_request(call, request); error != 0) return error;
  if ((request.flags & CLONE_THREAD) != 0) {
    if (!process().lone.executed || !join_job()) return let_go(call);
  }
  CloneParent parent = {call.thread, {}, program_mask(call.thread, *call.user), call.thread.signals.alt_stack};
  capture_frame(parent.frame, *call.user);
  return clone_program(parent, request);
}

// Distributed processes are refused these. This one need not be.
int64_t lone_prctl(Call& call) {
  if (static_cast<int32_t>(call.arg[0]) == PR_SET_SECCOMP) return let_go(call);
  return process().calls.rule(__NR_prctl).origin(call);
}

constexpr CallClass kDelegated = CallClass::kDelegated;
constexpr CallRule kRules[] = {
    {__NR_mmap, kDelegated, 0, 0, lone_mmap, nullptr},
    {__NR_munmap, kDelegated, 0, 0, outside_runtime<-EINVAL>, nullptr},
    {__NR_mprotect, kDelegated, 0, 0, outside_runtime<-ENOMEM>, nullptr},
    {__NR_pkey_mprotect, kDelegated, 0, 0, outside_runtime<-ENOMEM>, nullptr},
    {__NR_madvise, kDelegated, 0, 0, outside_runtime<-ENOMEM>, nullptr},
    {__NR_mincore, kDelegated, 0, 0, outside_runtime<-ENOMEM>, nullptr},
    {__NR_mlock, kDelegated, 0, 0, outside_runtime<-ENOMEM>, nullptr},
    {__NR_mlock2, kDelegated, 0, 0, outside_runtime<-ENOMEM>, nullptr},
    {__NR_munlock, kDelegated, 0, 0, outside_runtime<-ENOMEM>, nullptr},
    {__NR_mlockall, kDelegated, 0, 0, native, nullptr},
    {__NR_munlockall, kDelegated, 0, 0, native, nullptr},
    {__NR_shmat, kDelegated, 0, 0, native, nullptr},
    {__NR_shmdt, kDelegated, 0, 0, native, nullptr},
    {__NR_mremap, kDelegated, 0, 0, lone_mremap, nullptr},
    {__NR_brk, kDelegated, 0, 0, lone_brk, nullptr},

    {__NR_clone, kDelegated, 0, 0, lone_clone, nullptr},
    {__NR_clone3, kDelegated, 0, 0, lone_clone, nullptr},
    {__NR_fork, kDelegated, 0, 0, lone_clone, nullptr},
    {__NR_vfork, kDelegated, 0, 0, lone_clone, nullptr},
    {__NR_execve, kDelegated, 0, 0, lone_execve, nullptr},
    {__NR_execveat, kDelegated, 0, 0, lone_execveat, nullptr},
    {__NR_prctl, kDelegated, 0, 0, lone_prctl, nullptr},
    {__NR_ptrace, kDelegated, 0, 0, let_go, nullptr},
    {__NR_seccomp, kDelegated, 0, 0, let_go, nullptr},
};

}  // namespace

CallRules lone_call_rules() { return rules_of(kRules); }

}  // namespace dsm::runtime
