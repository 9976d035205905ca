// SPDX-License-Identifier: Apache-2.0
// The clone calls as C libraries other than glibc make them: musl starts its threads by clone(2), with a flag that has lost its meaning.
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "children.h"
#include "conformance.h"

int clone(int (*fn)(void*), void* stack, int flags, void* argument, ...);

enum { kStackBytes = 64 << 10, kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM };

static _Atomic(int32_t) cleared_tid;

// Runs on the creator's thread-local storage: touches none.
static int count_in_thread(void* argument) {
  atomic_fetch_add((atomic_int*)argument, 1);
  return 0;
}

static long start_thread(int more_flags, atomic_int* counter) {
  char* stack = mmap(NULL, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NEED(stack != MAP_FAILED);
  int32_t parent_tid = 0;
  atomic_store(&cleared_tid, 1);
  const int flags = kThreadFlags | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | more_flags;
  const int tid = clone(count_in_thread, stack + kStackBytes, flags, counter, &parent_tid, NULL, &cleared_tid);
  if (tid > 0) {
    for (int32_t seen; (seen = atomic_load(&cleared_tid)) != 0;) syscall(SYS_futex, &cleared_tid, FUTEX_WAIT, seen, NULL, NULL, 0);
    NEED(parent_tid == tid);
  }
  NEED(munmap(stack, kStackBytes) == 0);
  return tid > 0 ? 1 : tid;
}

CASE(clone_detached_threads) {
  static atomic_int counter;
  atomic_store(&counter, 0);
  for (int i = 0; i < 4; i++) say("thread: %ld", start_thread(CLONE_DETACHED, &counter));
  say("plain thread: %ld", start_thread(0, &counter));
  say("ran: %d", atomic_load(&counter));
}

CASE(clone_detached_process) {
  const long child = syscall(SYS_clone, CLONE_DETACHED | SIGCHLD, NULL, NULL, NULL, 0);
  NEED(child >= 0);
  if (child == 0) _exit(5);
  reap((pid_t)child);
  int pidfd = -1;
  say("with a pidfd: %s", outcome(syscall(SYS_clone, CLONE_DETACHED | CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, 0)));
}

CASE(clone3_refuses_old_flags) {
  struct clone_args args = {.flags = CLONE_DETACHED, .exit_signal = SIGCHLD};
  say("detached: %s", outcome(syscall(SYS_clone3, &args, sizeof args)));
  args.flags = SIGCHLD;   // belongs in exit_signal
  say("signal among the flags: %s", outcome(syscall(SYS_clone3, &args, sizeof args)));
}

CONFORMANCE_MAIN
