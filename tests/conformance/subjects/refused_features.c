// SPDX-License-Identifier: Apache-2.0
// Asks for what a distributed process cannot have, twice in the main thread and twice in another one.
#include <errno.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char* what, long result) { printf("%s %s\n", what, result >= 0 ? "ok" : strerrorname_np(errno)); }

static void ask(int aloud) {
  char buffer[256] = {0};
#define ASK(name, call)         \
  do {                          \
    const long result = (call); \
    if (aloud) say(name, result); \
  } while (0)
  ASK("io_uring", syscall(SYS_io_uring_setup, 8, buffer));
  ASK("io_setup", syscall(SYS_io_setup, 8, buffer));
  ASK("vmsplice", syscall(SYS_vmsplice, 1, buffer, 0, 0));
  ASK("userfaultfd", syscall(SYS_userfaultfd, 0));
  ASK("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
  ASK("seccomp", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, buffer));
  ASK("prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0));
  const void* at = mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  if (aloud) say("hugetlb", at == MAP_FAILED ? -1 : 0);
}

static void* in_thread(void* argument) {
  ask(1);
  ask(0);
  return argument;
}

int main(void) {
  in_thread(NULL);
  pthread_t thread;
  if (pthread_create(&thread, NULL, in_thread, NULL) != 0) return 3;
  return pthread_join(thread, NULL);
}
