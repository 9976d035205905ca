// SPDX-License-Identifier: Apache-2.0
// SIGSEGV in remote threads: null pointers, pages that mprotect closed, unmapped and PROT_NONE
// memory, each caught by the program's handler with the right address and code, and left by
// siglongjmp. Repeatedly, at the same time in all threads, with and without an alternate stack.
//
//   remote_segv [threads] [rounds] [work]
#include <sys/mman.h>

#include "fault_guard.h"

enum { kMostThreads = 16 };

static long g_rounds, g_work;

static void use_alternate_stack(void* memory, size_t bytes) {
  stack_t stack = {.ss_sp = memory, .ss_size = bytes};
  CHECK_ZERO(sigaltstack(&stack, NULL));
}

// A place of the thread's own, far from where the kernel puts new mappings, so that it stays
// empty after munmap whatever the other threads do.
static volatile char* map_pages(long me, size_t pages) {
  void* p = mmap((void*)(0x10000000000 + (me << 30)), pages * kPageSize, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

// The pointer comes from memory, so that the compiler cannot know it is null.
static volatile char* volatile g_null = NULL;

static void expect_null_fault(void) {
  CHECK(FAULTS((void)g_null[8]));
  CHECK(t_guard.signal == SIGSEGV && t_guard.address == (void*)8 && t_guard.code == SEGV_MAPERR);
  CHECK(FAULTS(g_null[16] = 1));
  CHECK(t_guard.address == (void*)16);
}

static void expect_protection_faults(long me, long round) {
  volatile char* p = map_pages(me, 3);
  for (int i = 0; i < 3; i++) p[i * kPageSize + 5] = (char)(round + i);
  CHECK_ZERO(mprotect((void*)(p + kPageSize), kPageSize, PROT_READ));
  CHECK(!FAULTS((void)p[kPageSize + 5]));
  CHECK(FAULTS(p[kPageSize + 5] = 77));
  CHECK(t_guard.address == (void*)(p + kPageSize + 5) && t_guard.code == SEGV_ACCERR);
  CHECK(p[kPageSize + 5] == (char)(round + 1));
  CHECK(!FAULTS(p[5] = 1) && !FAULTS(p[2 * kPageSize + 5] = 1));

  CHECK_ZERO(mprotect((void*)(p + kPageSize), kPageSize, PROT_NONE));
  CHECK(FAULTS((void)p[kPageSize + 9]));
  CHECK(t_guard.address == (void*)(p + kPageSize + 9) && t_guard.code == SEGV_ACCERR);

  CHECK_ZERO(mprotect((void*)(p + kPageSize), kPageSize, PROT_READ | PROT_WRITE));
  CHECK(!FAULTS(p[kPageSize + 5] = 42));
  CHECK(p[kPageSize + 5] == 42);

  CHECK_ZERO(munmap((void*)p, 3 * kPageSize));
  CHECK(FAULTS((void)p[kPageSize]));
  CHECK(t_guard.address == (void*)(p + kPageSize));
}

static void* run(void* argument) {
  long me = (long)argument;
  static char stacks[kMostThreads][65536];
  if (me % 4 >= 2) use_alternate_stack(stacks[me], sizeof stacks[me]);
  uint64_t noise = (uint64_t)me;
  for (long round = 0; round < g_rounds; round++) {
    expect_null_fault();
    expect_protection_faults(me, round);
    noise = compute(noise, g_work);
  }
  return (void*)noise;
}

int main(int argc, char** argv) {
  long threads = number_argument(argc, argv, 1, 4);
  g_rounds = number_argument(argc, argv, 2, 100);
  g_work = number_argument(argc, argv, 3, 1800000);
  CHECK(threads >= 1 && threads <= kMostThreads);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  CHECK_ZERO(sigaction(SIGSEGV, &action, NULL));
  pthread_t ids[kMostThreads];
  uint64_t hash = 0;
  for (long t = 0; t < threads; t++) CHECK_ZERO(pthread_create(&ids[t], NULL, run, (void*)t));
  for (long t = 0; t < threads; t++) {
    void* noise = NULL;
    CHECK_ZERO(pthread_join(ids[t], &noise));
    hash = mix64(hash ^ (uint64_t)noise);
  }
  printf("%ld threads, %ld rounds of faults, %016llx ok\n", threads, g_rounds,
         (unsigned long long)hash);
  return 0;
}
