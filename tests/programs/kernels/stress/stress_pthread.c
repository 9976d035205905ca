// SPDX-License-Identifier: Apache-2.0
// Threads that come and go: each of four makers starts waves of short-lived ones (joined or detached, with stacks of their own size),
// which compute, count under a mutex and report by a condition variable; thread-specific values are destroyed with them.
//
//   stress_pthread [waves] [work]
#include "../selfcheck.h"

enum { kMakers = 4, kWave = 4 };

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_changed = PTHREAD_COND_INITIALIZER;
static pthread_key_t g_key;
static long g_waves, g_work, g_finished_detached, g_destroyed;
static uint64_t g_sum;

struct job {
  uint64_t seed, result;
  int detached;
};

static void destroy(void* value) {
  __atomic_fetch_add(&g_destroyed, 1, __ATOMIC_RELAXED);
  free(value);
}

static void* run(void* argument) {
  struct job* job = argument;
  uint64_t* kept = malloc(sizeof *kept);
  CHECK(kept);
  CHECK_ZERO(pthread_setspecific(g_key, kept));
  *kept = compute(job->seed, g_work);
  volatile char stack[40000];
  for (size_t i = 0; i < sizeof stack; i += 512) stack[i] = (char)(*kept >> (i % 56));
  for (size_t i = 0; i < sizeof stack; i += 512) CHECK(stack[i] == (char)(*kept >> (i % 56)));
  CHECK(pthread_getspecific(g_key) == kept);
  job->result = *kept;
  CHECK_ZERO(pthread_mutex_lock(&g_lock));
  g_sum += *kept;
  if (job->detached) {
    g_finished_detached++;
    free(job);
    CHECK_ZERO(pthread_cond_broadcast(&g_changed));
  }
  CHECK_ZERO(pthread_mutex_unlock(&g_lock));
  return job;
}

static void start_detached(uint64_t seed) {
  pthread_attr_t attributes;
  CHECK_ZERO(pthread_attr_init(&attributes));
  CHECK_ZERO(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
  CHECK_ZERO(pthread_attr_setstacksize(&attributes, 256 << 10));
  struct job* job = malloc(sizeof *job);
  CHECK(job);
  *job = (struct job){.seed = seed, .detached = 1};
  pthread_t thread;
  CHECK_ZERO(pthread_create(&thread, &attributes, run, job));
  CHECK_ZERO(pthread_attr_destroy(&attributes));
}

static void* make(void* argument) {
  const uint64_t maker = (uintptr_t)argument;
  for (long wave = 0; wave < g_waves; wave++) {
    pthread_t threads[kWave];
    struct job jobs[kWave];
    for (int i = 0; i < kWave; i++) {
      jobs[i] = (struct job){.seed = maker << 32 | (uint64_t)wave << 8 | (uint64_t)i};
      CHECK_ZERO(pthread_create(&threads[i], NULL, run, &jobs[i]));
    }
    start_detached(maker << 32 | (uint64_t)wave << 8 | 0xff);
    for (int i = 0; i < kWave; i++) {
      void* result;
      CHECK_ZERO(pthread_join(threads[i], &result));
      CHECK(result == &jobs[i] && jobs[i].result == compute(jobs[i].seed, g_work));
    }
  }
  return NULL;
}

int main(int argc, char** argv) {
  g_waves = number_argument(argc, argv, 1, 4);
  g_work = number_argument(argc, argv, 2, 300000);
  CHECK_ZERO(pthread_key_create(&g_key, destroy));
  pthread_t makers[kMakers];
  for (uintptr_t m = 0; m < kMakers; m++) CHECK_ZERO(pthread_create(&makers[m], NULL, make, (void*)(m + 1)));
  for (int m = 0; m < kMakers; m++) CHECK_ZERO(pthread_join(makers[m], NULL));
  CHECK_ZERO(pthread_mutex_lock(&g_lock));
  while (g_finished_detached < kMakers * g_waves) CHECK_ZERO(pthread_cond_wait(&g_changed, &g_lock));
  CHECK_ZERO(pthread_mutex_unlock(&g_lock));
  // The joined ones have destroyed their values; a detached one may still be at it.
  CHECK(__atomic_load_n(&g_destroyed, __ATOMIC_RELAXED) >= kMakers * kWave * g_waves);
  printf("threads %ld sum %016lx\n", kMakers * (kWave + 1) * g_waves, g_sum);
  return 0;
}
