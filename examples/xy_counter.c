// SPDX-License-Identifier: Apache-2.0
// Two counters on different pages that belong together: under one lock, x += 1 and then y += x.
//
// Why it is instructive: whoever holds the lock must find y = x (x + 1) / 2, in whatever order and from whatever node
// the threads came. A memory that showed the new x with the old y, for one instant, would be caught at once. Every
// thread also reads without the lock: y first, then x. It may see y behind x but never ahead of it, since memory is
// sequentially consistent: what was stored earlier is seen earlier.
#include <stdatomic.h>

#include "support.h"

struct Shared {
  pthread_mutex_t lock;
  _Alignas(kPageBytes) _Atomic uint64_t x;
  _Alignas(kPageBytes) _Atomic uint64_t y;
  _Alignas(kPageBytes) atomic_int violations;
};

struct Work {
  struct Shared* shared;
  uint64_t seed;
  long rounds, think;
};

static uint64_t triangle(uint64_t x) { return x * (x + 1) / 2; }

static void advance(struct Shared* shared) {
  pthread_mutex_lock(&shared->lock);
  uint64_t x = atomic_load_explicit(&shared->x, memory_order_relaxed);
  uint64_t y = atomic_load_explicit(&shared->y, memory_order_relaxed);
  if (y != triangle(x)) atomic_fetch_add(&shared->violations, 1);
  atomic_store_explicit(&shared->x, x + 1, memory_order_release);
  atomic_store_explicit(&shared->y, y + x + 1, memory_order_release);
  pthread_mutex_unlock(&shared->lock);
}

static void look(struct Shared* shared) {
  uint64_t y = atomic_load_explicit(&shared->y, memory_order_acquire);
  uint64_t x = atomic_load_explicit(&shared->x, memory_order_acquire);
  if (y > triangle(x)) atomic_fetch_add(&shared->violations, 1);
}

static void* work_on(void* argument) {
  struct Work* work = argument;
  uint64_t sink = 0;
  for (long i = 0; i < work->rounds; i++) {
    advance(work->shared);
    for (long k = 0; k < work->think; k++) sink ^= next_random(&work->seed);  // private work between two visits
    look(work->shared);
  }
  work->seed = sink;
  return NULL;
}

int main(int argc, char** argv) {
  long threads = option(argc, argv, "--threads", 4, 1, kMaxThreads);
  long rounds = option(argc, argv, "--rounds", 2000, 1, 1000000000);
  long think = option(argc, argv, "--think", 200000, 0, 1000000000);
  struct Shared* shared = page_aligned(sizeof *shared);
  pthread_mutex_init(&shared->lock, NULL);

  struct Work work[kMaxThreads];
  for (long i = 0; i < threads; i++) work[i] = (struct Work){shared, (uint64_t)i, rounds, think};
  double begin = seconds_now();
  run_threads(work_on, work, sizeof work[0], threads);
  fprintf(stderr, "xy_counter: %.2f s\n", seconds_now() - begin);

  uint64_t x = atomic_load(&shared->x), y = atomic_load(&shared->y);
  int violations = atomic_load(&shared->violations);
  int right = violations == 0 && x == (uint64_t)threads * (uint64_t)rounds && y == triangle(x);
  printf("xy_counter: x = %llu, y = %llu, %d violations, %s\n", (unsigned long long)x, (unsigned long long)y, violations,
         right ? "consistent" : "WRONG");
  return right ? 0 : 1;
}
