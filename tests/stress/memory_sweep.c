// SPDX-License-Identifier: Apache-2.0
// More memory than a node may hold: the main thread writes an array, threads change each its part, the main thread
// and the threads read all of it again. Prints one checksum of what each round found.
//   memory_sweep MIB THREADS
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { kPageWords = 512, kMostThreads = 64, kTouchesPerPage = 8 };

static uint64_t* g_words;
static uint64_t g_pages, g_threads;

static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
  return x ^ (x >> 29);
}

struct Part {
  uint64_t number, sum;
};

static uint64_t* word(uint64_t page, uint64_t touch) { return g_words + page * kPageWords + touch * (kPageWords / kTouchesPerPage); }

static void* change_part(void* argument) {
  struct Part* part = argument;
  const uint64_t first = g_pages * part->number / g_threads, end = g_pages * (part->number + 1) / g_threads;
  for (uint64_t page = first; page < end; page++)
    for (uint64_t touch = 0; touch < kTouchesPerPage; touch++) {
      part->sum = mix(part->sum + *word(page, touch));
      *word(page, touch) += page;
    }
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  g_pages = strtoull(argv[1], NULL, 10) << 8;
  g_threads = strtoull(argv[2], NULL, 10);
  if (g_pages == 0 || g_threads == 0 || g_threads > kMostThreads) return 2;
  g_words = mmap(NULL, g_pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (g_words == MAP_FAILED) return 3;
  for (uint64_t page = 0; page < g_pages; page++)
    for (uint64_t touch = 0; touch < kTouchesPerPage; touch++) *word(page, touch) = mix(page * kTouchesPerPage + touch);
  struct Part part[kMostThreads];
  pthread_t thread[kMostThreads];
  uint64_t sum = 0;
  for (int round = 0; round < 2; round++) {
    for (uint64_t i = 0; i < g_threads; i++) {
      part[i] = (struct Part){i, 0};
      if (pthread_create(&thread[i], NULL, change_part, &part[i]) != 0) return 3;
    }
    for (uint64_t i = 0; i < g_threads; i++) {
      if (pthread_join(thread[i], NULL) != 0) return 3;
      sum = mix(sum + part[i].sum);
    }
  }
  for (uint64_t page = 0; page < g_pages; page++)
    for (uint64_t touch = 0; touch < kTouchesPerPage; touch++) sum = mix(sum + *word(page, touch));
  printf("%016lx\n", (unsigned long)sum);
  return 0;
}
