// SPDX-License-Identifier: Apache-2.0
// A thousand threads created and joined a few at a time, and a hundred detached ones. Each uses
// its stack, its errno, the heap and a slot of a shared array, and gets the right argument and
// gives back the right value.
//
//   create_join [threads] [work] [at a time]
#include <semaphore.h>

#include "selfcheck.h"

enum { kMostAtATime = 16, kDetached = 100 };

static long g_work;
static uint64_t* g_results;
static sem_t g_detached_done;

static uint64_t use_stack(uint64_t seed) {
  volatile uint64_t frame[2048];  // four pages
  for (int i = 0; i < 2048; i++) frame[i] = seed + (uint64_t)i;
  uint64_t sum = 0;
  for (int i = 0; i < 2048; i++) sum += frame[i];
  return sum;
}

static uint64_t expected_result(uint64_t index) { return 2048 * index + 2047 * 1024; }

static void* run(void* argument) {
  uint64_t index = (uint64_t)argument;
  errno = (int)index + 1;
  uint64_t* own = malloc(sizeof *own);
  CHECK(own);
  *own = use_stack(index);
  volatile uint64_t noise = compute(index, g_work);
  (void)noise;
  CHECK(errno == (int)index + 1);
  g_results[index] = *own;
  free(own);
  return (void*)(index ^ 0x5555);
}

static void* run_detached(void* argument) {
  run(argument);
  CHECK_ZERO(sem_post(&g_detached_done));
  return NULL;
}

int main(int argc, char** argv) {
  long threads = number_argument(argc, argv, 1, 1000);
  g_work = number_argument(argc, argv, 2, 460000);
  long at_a_time = number_argument(argc, argv, 3, 4);
  CHECK(at_a_time >= 1 && at_a_time <= kMostAtATime && threads % at_a_time == 0);
  CHECK((g_results = calloc((size_t)(threads + kDetached), sizeof *g_results)) != NULL);
  for (long first = 0; first < threads; first += at_a_time) {
    pthread_t ids[kMostAtATime];
    for (long t = 0; t < at_a_time; t++)
      CHECK_ZERO(pthread_create(&ids[t], NULL, run, (void*)(first + t)));
    for (long t = 0; t < at_a_time; t++) {
      void* value = NULL;
      CHECK_ZERO(pthread_join(ids[t], &value));
      CHECK((uint64_t)value == ((uint64_t)(first + t) ^ 0x5555));
    }
  }
  CHECK_ZERO(sem_init(&g_detached_done, 0, 0));
  pthread_attr_t detached;
  CHECK_ZERO(pthread_attr_init(&detached));
  CHECK_ZERO(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED));
  for (long t = 0; t < kDetached; t++) {
    pthread_t id;
    CHECK_ZERO(pthread_create(&id, &detached, run_detached, (void*)(threads + t)));
    if (t >= 8) CHECK_ZERO(sem_wait(&g_detached_done));
  }
  for (long t = 0; t < 8; t++) CHECK_ZERO(sem_wait(&g_detached_done));
  uint64_t sum = 0;
  for (long t = 0; t < threads + kDetached; t++) {
    CHECK(g_results[t] == expected_result((uint64_t)t));
    sum += g_results[t];
  }
  printf("created and joined %ld, detached %d, sum %llu ok\n", threads, kDetached,
         (unsigned long long)sum);
  return 0;
}
