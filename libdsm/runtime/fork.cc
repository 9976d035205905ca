// SPDX-License-Identifier: Apache-2.0
// fork: the newest bytes of all memory come to the origin and nobody writes elsewhere, the local threads stand still, the kernel
// forks, the child copies what is shared with the agent into private memory and goes on as an ordinary process. Then the
// parent goes on.
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

namespace dsm::runtime {
namespace {

constexpr int kSeekData = 3, kSeekHole = 4;

// [start,end) of the memfd, where it has bytes, into the private memory at the same addresses.
void copy_content(uint64_t start, uint64_t end) {
  const int fd = process().memory_fd;
  uint64_t at = start;
  while (at < end) {
    const int64_t data = sys(__NR_lseek, fd, at, kSeekData);
    if (is_error(data) || static_cast<uint64_t>(data) >= end) return;
    uint64_t hole = static_cast<uint64_t>(RT_MUST(sys(__NR_lseek, fd, data, kSeekHole)));
    if (hole > end) hole = end;
    for (at = static_cast<uint64_t>(data); at < hole;) {
      const int64_t got = sys(__NR_pread64, fd, at, hole - at, at);
      RT_CHECK(got > 0);
      at += static_cast<uint64_t>(got);
    }
  }
}

void make_memory_private() {
  const ProgramMap& ranges = process().memory.ranges();
  for (size_t i = 0; i < ranges.size(); i++) {
    const Range& range = ranges.at(i);
    if (range.kind != abi::MapKind::kPrivate || (range.flags & kRangeRuntime) != 0) continue;
    RT_MUST(sys(__NR_mmap, range.start, range.bytes(), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
    copy_content(range.start, range.end);
    constexpr uint32_t kReadWrite = PROT_READ | PROT_WRITE;
    if (range.prot != kReadWrite) RT_MUST(sys(__NR_mprotect, range.start, range.bytes(), range.prot));
  }
}

[[noreturn]] void forked_main(Thread* child) {
  make_memory_private();
  const char copied = 1;
  sys(__NR_write, child->remote.channel_fd, &copied, 1);
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

}  // namespace

int64_t fork_program(CloneParent& parent, const channel::CloneRequest& request) {
  Thread* child = prepare_child(parent, request);
  if (child == nullptr) return -EAGAIN;
  child->remote.kind = ThreadKind::kNativeChild;
  child->remote.set_tid = (request.flags & CLONE_CHILD_SETTID) != 0 ? request.child_tid : 0;
  child->remote.clear_tid = (request.flags & CLONE_CHILD_CLEARTID) != 0 ? request.child_tid : 0;

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
  stop_local_threads(parent.thread);
  const uint64_t bytes = abi::kUserEnd - abi::kUserBegin;
  RT_CHECK(agent_range(abi::Op::kFreeze, abi::kUserBegin, bytes) == 0);
  const int64_t pid = start_child(*child, request, forked_main);
  self.private_fds.close(writer);
  if (!is_error(pid)) wait_for_copy(reader, pid);
  self.private_fds.close(reader);
  RT_CHECK(agent_range(abi::Op::kThaw, abi::kUserBegin, bytes) == 0);
  release_local_threads();
  if (!is_error(pid)) {
    // The child's thread block is a copy; this one was never run on.
    child->kernel_tid = 0;
    ThreadPool::give_back(*child);
  }
  return pid;
}

}  // namespace dsm::runtime
