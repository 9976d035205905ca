// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/clone.h"

#include <asm-generic/errno.h>
#include <linux/sched.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/placement.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/shadow.h"
#include "libdsm/runtime/signal_entry.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/stop_world.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kExitSignalMask = 0xff;
constexpr uint64_t kIgnoredStack = 0;
// What the runtime does itself, instead of the kernel: the child's first instructions are ours, and an exiting task
// cannot fault on shared memory any more.
constexpr uint64_t kEmulated = CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;

// First instructions of a thread at the origin.
[[noreturn]] void local_main(Thread* thread_pointer) {
  Thread& thread = *thread_pointer;
  thread.tid = thread.kernel_tid = static_cast<int32_t>(sys(__NR_gettid));
  use_block_as_signal_stack(thread);
  begin_program(thread);
  if (thread.remote.set_tid != 0) write_program(thread.remote.set_tid, thread.tid);
  board::enter(thread, abi::ThreadState::kRunning, 0);
  enter_frame(thread, start_frame(thread));
}

[[noreturn]] void remote_main(Thread* thread) {
  thread->tid = thread->kernel_tid = static_cast<int32_t>(sys(__NR_gettid));
  shadow_main(thread);
}

int64_t clone_thread(CloneParent& parent, const channel::CloneRequest& request) {
  Thread* child = prepare_child(parent, request);
  if (child == nullptr) return -EAGAIN;
  const uint32_t node = place_thread();
  child->remote.node = node;
  child->remote.clear_tid = (request.flags & CLONE_CHILD_CLEARTID) != 0 ? request.child_tid : 0;
  child->remote.set_tid = (request.flags & CLONE_CHILD_SETTID) != 0 ? request.child_tid : 0;
  board::count_creation(node);
  return start_child(*child, request, node == 0 ? local_main : remote_main);
}

[[noreturn]] void native_main(Thread* child) { continue_natively(*child, true); }
[[noreturn]] void native_main_sharing_actions(Thread* child) { continue_natively(*child, false); }

// A child process in the same address space (vfork, posix_spawn) until it execs or exits.
int64_t clone_native(CloneParent& parent, const channel::CloneRequest& request) {
  Thread* child = prepare_child(parent, request);
  if (child == nullptr) return -EAGAIN;
  child->remote.kind = ThreadKind::kNativeChild;
  child->remote.set_tid = (request.flags & CLONE_CHILD_SETTID) != 0 ? request.child_tid : 0;
  child->board = nullptr;
  const bool waits = (request.flags & CLONE_VFORK) != 0, shares_actions = (request.flags & CLONE_SIGHAND) != 0;
  if (!waits) child->signals.alt_stack = {};
  auto* main = shares_actions ? native_main_sharing_actions : native_main;
  if (waits && !shares_actions && watches_children(process().lone)) main = spawned_main;
  enter_kernel(parent.thread);   // CLONE_VFORK: until the child execs
  const int64_t pid = start_child(*child, request, main);
  leave_kernel(parent.thread);
  if (is_error(pid)) return pid;
  if (waits) give_back_exec_array(*child);
  // The block is free when the kernel says that the child has left the address space.
  ThreadPool::give_back(*child);
  return pid;
}

}  // namespace

int64_t read_clone_request(const Call& call, channel::CloneRequest& request) {
  const uint64_t* arg = call.arg;
  request = {};
  switch (call.number) {
    case __NR_fork:
      request.exit_signal = kSigChld;
      return 0;
    case __NR_vfork:
      request.flags = CLONE_VM | CLONE_VFORK;
      request.exit_signal = kSigChld;
      return 0;
    case __NR_clone:
      request = {arg[0] & ~kExitSignalMask & 0xffffffff, arg[0] & kExitSignalMask, arg[1], arg[2], arg[3], arg[4], 0, 0};
      if ((request.flags & CLONE_PIDFD) != 0) {   // clone(2) has one argument for both
        if ((request.flags & CLONE_PARENT_SETTID) != 0) return -EINVAL;
        if ((request.flags & CLONE_DETACHED) != 0) return -EINVAL;
        request.pidfd = arg[2];
      }
      // Without meaning since Linux 2.6, but musl still sets it, and clone3, by which we create, refuses it.
      request.flags &= ~static_cast<uint64_t>(CLONE_DETACHED);
      return 0;
    default:
      break;
  }
  KernelCloneArgs args = {};
  constexpr uint64_t kVersion0 = 64;
  if (arg[1] < kVersion0) return -EINVAL;
  if (arg[1] > sizeof args) return -E2BIG;
  if (const int64_t error = copy_from_program(&args, arg[0], arg[1]); error != 0) return error;
  if (args.set_tid_count != 0) return -EPERM;
  if ((args.stack == 0) != (args.stack_bytes == 0)) return -EINVAL;
  if ((args.flags & (CLONE_DETACHED | (kExitSignalMask & ~CLONE_NEWTIME))) != 0) return -EINVAL;   // the two bits overlap
  request = {args.flags, args.exit_signal, args.stack + args.stack_bytes, args.parent_tid, args.child_tid, args.tls,
             args.pidfd, args.cgroup};
  return 0;
}

Thread* prepare_child(const CloneParent& parent, const channel::CloneRequest& request) {
  Thread* child = process().threads.take();
  if (child == nullptr) return nullptr;
  Frame& frame = start_frame(*child);
  memcpy(&frame, &parent.frame, offsetof(Frame, fp) + parent.frame.fp_bytes);
  frame.context.fp = frame.fp_bytes != 0 ? reinterpret_cast<uint64_t>(frame.fp) : 0;
  frame.context.mask = parent.mask;
  frame.context.reg[kRax] = 0;
  if (request.stack_top != kIgnoredStack) frame.context.reg[kRsp] = request.stack_top;
  if ((request.flags & CLONE_SETTLS) != 0) frame.fs_base = request.tls;
  child->affinity = parent.thread.affinity;
  child->signals.restart_number = -1;
  if ((request.flags & CLONE_THREAD) == 0) child->signals.alt_stack = parent.alt_stack;
  return child;
}

Thread* prepare_fork(const CloneParent& parent, const channel::CloneRequest& request) {
  Thread* child = prepare_child(parent, request);
  if (child == nullptr) return nullptr;
  child->remote.kind = ThreadKind::kNativeChild;
  child->remote.set_tid = (request.flags & CLONE_CHILD_SETTID) != 0 ? request.child_tid : 0;
  child->remote.clear_tid = (request.flags & CLONE_CHILD_CLEARTID) != 0 ? request.child_tid : 0;
  return child;
}

int64_t start_child(Thread& child, const channel::CloneRequest& request, void (*fn)(Thread*), int32_t wanted_tid) {
  KernelCloneArgs args = {};
  args.flags = (request.flags & ~kEmulated) | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
  args.child_tid = reinterpret_cast<uint64_t>(&child.kernel_tid);
  args.parent_tid = request.parent_tid;
  args.pidfd = request.pidfd;
  args.exit_signal = request.exit_signal;
  args.stack = start_stack_bottom(child);
  args.stack_bytes = start_stack_top(child) - args.stack;
  args.cgroup = request.cgroup;
  if (wanted_tid != 0) {
    args.set_tid = reinterpret_cast<uint64_t>(&wanted_tid);
    args.set_tid_count = 1;
  }
  child.kernel_tid = -1;   // not free until the kernel clears it
  const uint64_t before = block_all_signals();
  const int64_t result = dsm_raw_clone(&args, sizeof args, fn, &child);
  if (is_error(result)) {
    child.kernel_tid = 0;
    ThreadPool::give_back(child);
  }
  exchange_kernel_mask(before);
  return result;
}

void continue_natively(Thread& child, bool own_actions) {
  Frame& frame = start_frame(child);
  if (child.remote.set_tid != 0) write_program(child.remote.set_tid, static_cast<int32_t>(sys(__NR_gettid)));
  if (own_actions) process().remote.signals.install_natively();
  RT_MUST(sys(__NR_arch_prctl, 0x1002 /*ARCH_SET_FS*/, frame.fs_base));
  set_program_stack(frame.context, child.signals.alt_stack);
  dsm_enter_program(&frame.context);
}

int64_t clone_program(CloneParent& parent, const channel::CloneRequest& request) {
  if ((request.flags & CLONE_VM) == 0) return process().lone.alone ? fork_alone(parent, request) : fork_program(parent, request);
  if ((request.flags & CLONE_THREAD) == 0) return clone_native(parent, request);
  return clone_thread(parent, request);
}

}  // namespace dsm::runtime
