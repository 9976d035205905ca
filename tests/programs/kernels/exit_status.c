// SPDX-License-Identifier: Apache-2.0
// Ways to end with status 7 while other threads compute and wait: return from main, exit from a
// thread that is not the first, and the first thread ending by pthread_exit before the last one
// calls exit. Handlers of atexit run, and buffered output is written.
//
//   exit_status return|thread|last [work]
#include "selfcheck.h"

enum { kThreads = 4, kStatus = 7 };

static const char* g_way;
static long g_work;
static pthread_barrier_t g_started;

static void at_exit(void) { puts("atexit ran"); }

static void* compute_for_ever(void* unused) {
  pthread_barrier_wait(&g_started);
  for (volatile uint64_t x = 1;;) x = mix64(x);
  return unused;
}

static void* wait_for_ever(void* unused) {
  pthread_barrier_wait(&g_started);
  for (;;) pause();
  return unused;
}

static void* end_process(void* unused) {
  pthread_barrier_wait(&g_started);
  printf("computed %016llx\n", (unsigned long long)compute(1, g_work));
  exit(kStatus);
  return unused;
}

int main(int argc, char** argv) {
  CHECK(argc > 1);
  g_way = argv[1];
  g_work = number_argument(argc, argv, 2, 360000000);
  CHECK_ZERO(atexit(at_exit));
  CHECK_ZERO(pthread_barrier_init(&g_started, NULL, kThreads + 1));
  int in_thread = strcmp(g_way, "return") != 0;
  pthread_t id;
  for (int t = 0; t < kThreads - in_thread; t++)
    CHECK_ZERO(pthread_create(&id, NULL, t % 2 ? compute_for_ever : wait_for_ever, NULL));
  if (in_thread) CHECK_ZERO(pthread_create(&id, NULL, end_process, NULL));
  printf("way %s\n", g_way);
  pthread_barrier_wait(&g_started);
  if (strcmp(g_way, "last") == 0) pthread_exit(NULL);
  if (strcmp(g_way, "thread") == 0) pthread_join(id, NULL);
  printf("computed %016llx\n", (unsigned long long)compute(2, g_work));
  return kStatus;
}
