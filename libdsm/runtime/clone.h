// SPDX-License-Identifier: Apache-2.0
// New threads and processes of the program, always made at the origin: by the trap handler of a local thread, or by the shadow
// of a remote one.
#pragma once
#include "libdsm/runtime/channel_protocol.h"
#include "libdsm/runtime/dispatch.h"
#include "libdsm/runtime/register_frame.h"

namespace dsm::runtime {

// Who calls clone: its state right behind the system call.
struct CloneParent {
  Thread& thread;
  Frame frame;
  uint64_t mask;
  AltStack alt_stack;
};

// The kernel's struct clone_args, version 2.
struct KernelCloneArgs {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_bytes, tls, set_tid, set_tid_count, cgroup;
};
static_assert(sizeof(KernelCloneArgs) == 88);

// The arguments of a clone, clone3, fork or vfork: 0 or -errno.
int64_t read_clone_request(const Call& call, channel::CloneRequest& request);

// The child's tid or pid, or -errno. A thread goes to the node that the placement says.
int64_t clone_program(CloneParent& parent, const channel::CloneRequest& request);

// ---- Between clone.cc and fork.cc ------------------------------------------------------------------------------------
// A block for the child with its start frame: the parent's registers, result 0, its own stack and TLS; nullptr if there is none.
Thread* prepare_child(const CloneParent& parent, const channel::CloneRequest& request);
// The same for a process of its own.
Thread* prepare_fork(const CloneParent& parent, const channel::CloneRequest& request);
// Makes the child's kernel thread, which starts in fn on the stack of its block with all signals blocked. `wanted_tid`: the tid that
// it must have (a restored process); 0: any.
int64_t start_child(Thread& child, const channel::CloneRequest& request, void (*fn)(Thread*), int32_t wanted_tid = 0);
// In a child that is no thread of ours: goes on as an ordinary process.
[[noreturn]] void continue_natively(Thread& child, bool own_actions);
// A process of its own: a copy of the program's memory as of one instant (fork.cc).
int64_t fork_program(CloneParent& parent, const channel::CloneRequest& request);

}  // namespace dsm::runtime
