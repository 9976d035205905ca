// SPDX-License-Identifier: Apache-2.0
// fork of a process whose memory is the kernel's: the kernel does it all. And what is the same for every fork: the child
// has one thread, none of its parent's connections, and is alone.
#include <asm-generic/errno.h>

#include "libdsm/runtime/clone.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

[[noreturn]] void forked_alone_main(Thread* child) { go_on_alone(*child); }

void forget_other_threads(const Thread& self) {
  for (uint32_t i = 0; i < process().threads.high_water(); i++) {
    Thread& thread = ThreadPool::at(i);
    thread.board = nullptr;
    if (&thread != &self) thread.in_use = thread.kernel_tid = 0;
  }
}

void forget_connections() {
  Process& self = process();
  self.control.open(-1);
  if (self.board != nullptr) RT_MUST(sys(__NR_munmap, self.board, sizeof(abi::Board)));
  self.board = nullptr;
  self.private_fds.close_all_but(self.lone.launcher_fd);
  self.userfault_fd = self.memory_fd = self.board_fd = -1;
}

void release_locks() {
  Process& self = process();
  Lock* const held_by_others[] = {&self.exec_lock,       &self.remote.fork_lock,     &self.memory.lock(),
                                  &self.control.lock(), &self.private_fds.lock(), &self.threads.lock()};
  for (Lock* lock : held_by_others) lock->reset_after_fork();
  self.remote.signals.reset_after_fork();
  self.remote.stop_request = 0;
}

}  // namespace

void go_on_alone(Thread& child) {
  Process& self = process();
  release_locks();
  self.lone.alone = true;
  self.lone.executed = self.lone.joined = false;
  self.pid = static_cast<int32_t>(sys(__NR_getpid));
  child.tid = child.kernel_tid = static_cast<int32_t>(sys(__NR_gettid));
  forget_other_threads(child);
  forget_connections();
  self.memory.forget();
  use_block_as_signal_stack(child);
  child.remote.kind = ThreadKind::kProgram;
  if (child.remote.set_tid != 0) write_program(child.remote.set_tid, child.tid);
  enter_frame(child, start_frame(child));
}

int64_t fork_alone(CloneParent& parent, const channel::CloneRequest& request) {
  Thread* child = prepare_fork(parent, request);
  if (child == nullptr) return -EAGAIN;
  const int64_t pid = start_child(*child, request, forked_alone_main);
  if (is_error(pid)) return pid;
  child->kernel_tid = 0;   // the child's block is a copy; this one was never run on
  ThreadPool::give_back(*child);
  return pid;
}

}  // namespace dsm::runtime
