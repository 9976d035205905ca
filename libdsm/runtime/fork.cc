// SPDX-License-Identifier: Apache-2.0
// fork: the local threads stand still, shared anonymous memory becomes the kernel's (address_pin.cc), the newest bytes of all other
// memory come to the origin and nobody writes elsewhere, the kernel forks, the child copies what is shared with the agent into private
// memory and goes on as a lone process (lone_process.h) or an ordinary one. Then the parent goes on.
//
// Context: trap handler or shadow at the origin. Lock order as in lock.h: fork, memory.
#include <asm-generic/errno.h>
#include <linux/mman.h>
#include <linux/sched.h>

#include "libdsm/runtime/clone.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/stop_world.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

void make_memory_private() {
  const ProgramMap& ranges = process().memory.ranges();
  for (size_t i = 0; i < ranges.size(); i++) {
    const Range& range = ranges.at(i);
    if ((range.flags & kRangeNotForked) != 0) RT_MUST(sys(__NR_munmap, range.start, range.bytes()));
    if (range.kind != abi::MapKind::kPrivate || (range.flags & (kRangeRuntime | kRangeNotForked)) != 0) continue;
    RT_MUST(sys(__NR_mmap, range.start, range.bytes(), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
    if ((range.flags & kRangeWiped) == 0) copy_memory_file(range.start, range.start, range.end);
    constexpr uint32_t kReadWrite = PROT_READ | PROT_WRITE;
    if (range.prot != kReadWrite) RT_MUST(sys(__NR_mprotect, range.start, range.bytes(), range.prot));
  }
}

[[noreturn]] void forked_main(Thread* child) {
  make_memory_private();
  const char copied = 1;
  sys(__NR_write, child->remote.channel_fd, &copied, 1);
  if (watches_children(process().lone)) go_on_alone(*child);
  process().private_fds.close_all();
  if (child->remote.clear_tid != 0) sys(__NR_set_tid_address, child->remote.clear_tid);
  continue_natively(*child, true);
}

// Until the child has its copy, or is dead. The end of file alone would not say so: a child of vfork that another thread
// starts at this moment has the writing end too, and may need a page that is frozen before it comes to its execve.
void wait_for_copy(int reader, int64_t pid) {
  constexpr int16_t kPollIn = 1;
  struct {
    int32_t fd;
    int16_t events, seen;
  } waiting[2] = {{reader, kPollIn, 0}, {-1, kPollIn, 0}};
  const int64_t death = sys(__NR_pidfd_open, pid, 0);
  if (death == -ESRCH) return;   // another thread has waited for it already
  waiting[1].fd = is_error(death) ? -1 : static_cast<int32_t>(death);
  while (sys(__NR_poll, waiting, 2, -1) == -EINTR) {
  }
  if (!is_error(death)) sys(__NR_close, death);
}

// A thread that stood still with a lock of ours in its hands would stop this one, too.
void stop_threads_without_locks(const Thread& self) {
  LockGuard files_guard(process().private_fds.lock());
  LockGuard control_guard(process().control.lock());
  stop_local_threads(self);
}

}  // namespace

int64_t fork_program(CloneParent& parent, const channel::CloneRequest& request) {
  Thread* child = prepare_fork(parent, request);
  if (child == nullptr) return -EAGAIN;

  Process& self = process();
  LockGuard fork_guard(self.remote.fork_lock);
  LockGuard memory_guard(self.memory.lock());
  int ends[2];
  if (const int64_t error = sys(__NR_pipe2, ends, 02000000 /*O_CLOEXEC*/); error != 0) {
    ThreadPool::give_back(*child);
    return error;
  }
  const int reader = to_private_fd(ends[0]), writer = to_private_fd(ends[1]);
  child->remote.channel_fd = writer;
  stop_threads_without_locks(parent.thread);
  if (const int64_t error = self.memory.pin_shared(); error != 0) {
    release_local_threads();
    self.private_fds.close(writer);
    self.private_fds.close(reader);
    ThreadPool::give_back(*child);
    return error;
  }
  const uint64_t bytes = abi::kUserEnd - abi::kUserBegin;
  RT_CHECK(agent_range(abi::Op::kFreeze, abi::kUserBegin, bytes) == 0);
  // The kernel would fault on program memory that is frozen if it wrote these itself.
  int32_t parent_tid = 0, pidfd = -1;
  channel::CloneRequest unfrozen = request;
  if (request.parent_tid != 0) unfrozen.parent_tid = reinterpret_cast<uint64_t>(&parent_tid);
  if (request.pidfd != 0) unfrozen.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  const int64_t pid = start_child(*child, unfrozen, forked_main);
  self.private_fds.close(writer);
  if (!is_error(pid)) wait_for_copy(reader, pid);
  self.private_fds.close(reader);
  RT_CHECK(agent_range(abi::Op::kThaw, abi::kUserBegin, bytes) == 0);
  release_local_threads();
  if (!is_error(pid)) {
    if ((request.flags & CLONE_PARENT_SETTID) != 0) write_program(request.parent_tid, parent_tid);
    if ((request.flags & CLONE_PIDFD) != 0) write_program(request.pidfd, pidfd);
    // The child's thread block is a copy; this one was never run on.
    child->kernel_tid = 0;
    ThreadPool::give_back(*child);
  }
  return pid;
}

}  // namespace dsm::runtime
