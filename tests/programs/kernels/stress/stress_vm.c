// SPDX-License-Identifier: Apache-2.0
// Memory under test patterns: each thread maps, fills and verifies areas of its own (moving bits, modulo strides, a
// pseudo-random sequence), reads back those of its neighbour, and asks for zeros again by MADV_DONTNEED.
//
//   stress_vm [rounds] [pages]
#include <sys/mman.h>

#include "../selfcheck.h"

enum { kThreads = 4, kWords = kPageSize / 8 };

static uint64_t* g_area[kThreads];
static uint64_t g_digest[kThreads];
static long g_rounds, g_pages;
static pthread_barrier_t g_step;

static uint64_t pattern(uint64_t area, long round, uint64_t word) {
  switch (round % 3) {
    case 0: return 1ull << (word + area) % 64;
    case 1: return word % (23 + area) == 0 ? ~0ull : word;
    default: return mix64(word * 31 + area + (uint64_t)round);
  }
}

static void fill(uint64_t area, long round) {
  for (uint64_t w = 0; w < (uint64_t)g_pages * kWords; w++) g_area[area][w] = pattern(area, round, w);
}

static void verify(uint64_t area, long round) {
  for (uint64_t w = 0; w < (uint64_t)g_pages * kWords; w++) CHECK(g_area[area][w] == pattern(area, round, w));
}

// Every second page is given back and must be zero, the others untouched.
static void punch(uint64_t area, long round) {
  for (long p = 0; p < g_pages; p += 2) CHECK_ZERO(madvise(g_area[area] + p * kWords, kPageSize, MADV_DONTNEED));
  for (uint64_t w = 0; w < (uint64_t)g_pages * kWords; w++)
    CHECK(g_area[area][w] == (w / kWords % 2 == 0 ? 0 : pattern(area, round, w)));
}

static void* run(void* argument) {
  const uint64_t me = (uintptr_t)argument, next = (me + 1) % kThreads;
  const size_t size = (size_t)g_pages * kPageSize;
  for (long round = 0; round < g_rounds; round++) {
    g_area[me] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(g_area[me] != MAP_FAILED && g_area[me][size / 8 - 1] == 0);
    for (int again = 0; again < 4; again++) {
      fill(me, round + again);
      verify(me, round + again);
    }
    CHECK_ZERO(mprotect(g_area[me], size, PROT_READ));
    pthread_barrier_wait(&g_step);
    verify(next, round + 3);
    pthread_barrier_wait(&g_step);
    CHECK_ZERO(mprotect(g_area[me], size, PROT_READ | PROT_WRITE));
    punch(me, round + 3);
    g_digest[me] = mix64(g_digest[me] + hash_bytes(g_area[me], size));
    CHECK_ZERO(munmap(g_area[me], size));
    pthread_barrier_wait(&g_step);
  }
  return NULL;
}

int main(int argc, char** argv) {
  g_rounds = number_argument(argc, argv, 1, 3);
  g_pages = number_argument(argc, argv, 2, 1024);
  CHECK_ZERO(pthread_barrier_init(&g_step, NULL, kThreads));
  start_and_join(kThreads, run);
  for (int i = 0; i < kThreads; i++) printf("area %d: %016lx\n", i, g_digest[i]);
  return 0;
}
