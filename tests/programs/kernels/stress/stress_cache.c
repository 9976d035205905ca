// SPDX-License-Identifier: Apache-2.0
// One buffer that all threads read, write and count in: atomic additions to shared words, words of each thread beside those
// of the others in the same lines, and bytes that pass from one to the next by release and acquire. All sums are known.
//
//   stress_cache [rounds] [work]
#include "../selfcheck.h"

enum { kThreads = 4, kLines = 256, kWordsOfLine = 8 };

static _Alignas(kPageSize) uint64_t g_buffer[kLines][kWordsOfLine];
static _Alignas(kPageSize) uint64_t g_passed[kThreads];
static long g_rounds, g_work;
static uint64_t g_chain[kThreads];
static pthread_barrier_t g_round;

static void* run(void* argument) {
  const uintptr_t me = (uintptr_t)argument, before = (me + kThreads - 1) % kThreads;
  for (long round = 1; round <= g_rounds; round++) {
    for (int line = 0; line < kLines; line++) {
      g_buffer[line][me] += (uint64_t)round;                                        // false sharing: own words
      __atomic_fetch_add(&g_buffer[line][kThreads], me + 1, __ATOMIC_RELAXED);      // true sharing
      __atomic_fetch_xor(&g_buffer[line][kThreads + 1], 1ull << (line + (int)me) % 64, __ATOMIC_SEQ_CST);
    }
    g_chain[me] = compute(g_chain[me] + (uint64_t)round, g_work);
    __atomic_store_n(&g_passed[me], (uint64_t)round, __ATOMIC_RELEASE);
    while (__atomic_load_n(&g_passed[before], __ATOMIC_ACQUIRE) < (uint64_t)round) sched_yield();
    for (int line = 0; line < kLines; line++) CHECK(g_buffer[line][before] >= (uint64_t)(round * (round + 1) / 2));
    pthread_barrier_wait(&g_round);
  }
  return NULL;
}

int main(int argc, char** argv) {
  g_rounds = number_argument(argc, argv, 1, 60);
  g_work = number_argument(argc, argv, 2, 1000000);
  CHECK_ZERO(pthread_barrier_init(&g_round, NULL, kThreads));
  start_and_join(kThreads, run);
  for (int line = 0; line < kLines; line++) {
    for (int t = 0; t < kThreads; t++) CHECK(g_buffer[line][t] == (uint64_t)(g_rounds * (g_rounds + 1) / 2));
    CHECK(g_buffer[line][kThreads] == (uint64_t)g_rounds * kThreads * (kThreads + 1) / 2);
  }
  printf("buffer %016lx\n", hash_bytes(g_buffer, sizeof g_buffer));
  for (int i = 0; i < kThreads; i++) printf("thread %d: %016lx\n", i, g_chain[i]);
  return 0;
}
