// SPDX-License-Identifier: Apache-2.0
// A sense-reversing barrier out of inlined atomics: no library and no system call between the
// threads, only loads, stores and locked instructions on two shared pages. A thread that leaves
// early, or misses a store made before the barrier, finds a slot with the wrong phase.
//
//   spin_barrier [threads] [phases] [work]     work: mixes a thread and phase
#include <stdatomic.h>

#include "selfcheck.h"

enum { kMostThreads = 16 };

struct shared {
  _Alignas(kPageSize) atomic_long waiting;
  _Alignas(kPageSize) atomic_int sense;
  // Deliberately on one page: all threads write it in every phase.
  _Alignas(kPageSize) struct { long phase; uint64_t value; } slot[2][kMostThreads];
};

static struct shared g_shared;
static long g_threads, g_phases, g_work;

static void cross_barrier(int* my_sense) {
  *my_sense = !*my_sense;
  if (atomic_fetch_add(&g_shared.waiting, 1) == g_threads - 1) {
    atomic_store_explicit(&g_shared.waiting, 0, memory_order_relaxed);
    atomic_store_explicit(&g_shared.sense, *my_sense, memory_order_release);
    return;
  }
  while (atomic_load_explicit(&g_shared.sense, memory_order_acquire) != *my_sense)
    __builtin_ia32_pause();
}

static void* run(void* argument) {
  long me = (long)argument;
  int my_sense = 0;
  uint64_t sum = (uint64_t)me;
  for (long phase = 1; phase <= g_phases; phase++) {
    int parity = phase & 1;  // the other half is still being read by slower threads
    g_shared.slot[parity][me].value = compute(sum + (uint64_t)phase, g_work);
    g_shared.slot[parity][me].phase = phase;
    cross_barrier(&my_sense);
    sum = 0;
    for (long t = 0; t < g_threads; t++) {
      CHECK(g_shared.slot[parity][t].phase == phase);
      sum = mix64(sum ^ g_shared.slot[parity][t].value);
    }
  }
  return (void*)sum;
}

int main(int argc, char** argv) {
  g_threads = number_argument(argc, argv, 1, 3);
  g_phases = number_argument(argc, argv, 2, 140);
  g_work = number_argument(argc, argv, 3, 1200000);
  CHECK(g_threads >= 1 && g_threads <= kMostThreads);
  pthread_t ids[kMostThreads];
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_create(&ids[t], NULL, run, (void*)t));
  uint64_t first = 0;
  for (long t = 0; t < g_threads; t++) {
    void* sum = NULL;
    CHECK_ZERO(pthread_join(ids[t], &sum));
    if (t == 0) first = (uint64_t)sum;
    CHECK((uint64_t)sum == first);
  }
  printf("spin barrier %ld phases %ld threads hash %016llx ok\n", g_phases, g_threads,
         (unsigned long long)first);
  return 0;
}
