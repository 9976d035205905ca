// SPDX-License-Identifier: Apache-2.0
// A child of vfork or posix_spawn. Until its execve it runs in its parent's address space with descriptors, signal actions and
// limits of its own. So it is trapped for its execve only; what the runtime keeps about the process is the parent's, and calls
// that would change it go to the kernel instead.
//
// Context: as trap.cc, on the child's own block; the parent's thread waits in vfork, its other threads may run.
#include <asm-generic/errno.h>
#include <linux/sched.h>

#include "libdsm/runtime/clone.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/trap.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

// The actions are read where the parent keeps them and set in the kernel, where execve looks for those that are ignored. The trap's own
// stays.
int64_t change_action(Call& call) {
  const auto signal = static_cast<int>(call.arg[0]);
  KernelSigAction change = {};
  if (call.arg[3] != sizeof(uint64_t) || signal < 1 || signal > kSignals) return -EINVAL;
  if (call.arg[1] != 0 && read_program(change, call.arg[1]) != 0) return -EFAULT;
  const KernelSigAction before = process().remote.signals.get(signal);
  if (call.arg[1] != 0 && (kReservedSignals & signal_bit(signal)) == 0)
    if (const int64_t error = sys(__NR_rt_sigaction, signal, &change, nullptr, 8); error != 0) return error;
  return call.arg[2] != 0 ? write_program(call.arg[2], before) : 0;
}

int64_t clone_again(Call& call) {
  channel::CloneRequest request;
  if (const int64_t error = read_clone_request(call, request); error != 0) return error;
  const bool process_of_its_own = (request.flags & CLONE_VM) == 0;
  // A copy of a distributed process can be made by that process only.
  if ((request.flags & CLONE_THREAD) != 0 || (process_of_its_own && !process().lone.alone)) return -EAGAIN;
  CloneParent parent = {call.thread, {}, program_mask(call.thread, *call.user), call.thread.signals.alt_stack};
  capture_frame(parent.frame, *call.user);
  return clone_program(parent, request);
}

}  // namespace

void spawned_main(Thread* child) {
  child->tid = child->kernel_tid = static_cast<int32_t>(sys(__NR_gettid));
  use_block_as_signal_stack(*child);
  if (child->remote.set_tid != 0) write_program(child->remote.set_tid, child->tid);
  enter_frame(*child, start_frame(*child));
}

int64_t run_in_spawned_child(Call& call) {
  switch (call.number) {
    case __NR_execve:
      return lone_execve(call);
    case __NR_execveat:
      return lone_execveat(call);
    case __NR_rt_sigaction:
      return change_action(call);
    case __NR_clone:
    case __NR_clone3:
    case __NR_fork:
    case __NR_vfork:
      return clone_again(call);
    case __NR_ptrace:
    case __NR_seccomp:
      trap_off();   // a traced child would stop at each trap, and its tracer may be the parent that waits for its execve
      return run_natively(call);
    case __NR_getpid:
    case __NR_gettid:
    case __NR_set_tid_address:
    case __NR_set_robust_list:
    case __NR_exit:
    case __NR_prlimit64:
    case __NR_setrlimit:
    case __NR_getrlimit:
    case __NR_sched_getaffinity:
    case __NR_sched_setaffinity:
    case __NR_prctl:
    case __NR_getrusage:
    case __NR_times:
      return run_natively(call);
    default:
      return run_at_origin(call);
  }
}

}  // namespace dsm::runtime
