// SPDX-License-Identifier: Apache-2.0
// Every thread counts in a word of its own. `packed` puts the words side by side, `padded` one on each page.
//
// Why it is instructive: the program shares nothing, and yet in `packed` all words lie on one page, which only one
// node can write at a time, so that the page travels for ever. dsm keeps that bearable (a page that bounces is leased
// to its holder for up to a millisecond), and dsm-stat shows the page on top of its list, with the name of the
// array. The remedy is `padded`: what different threads write belongs on different pages.
#include "support.h"

enum { kWordsPerPage = kPageBytes / sizeof(uint64_t) };

// Global so that dsm-stat can name it.
static uint64_t counters[(size_t)kMaxThreads * kWordsPerPage] __attribute__((aligned(kPageBytes)));

struct Work {
  uint64_t* counter;
  long rounds;
};

static void* count(void* argument) {
  const struct Work* work = argument;
  volatile uint64_t* counter = work->counter;  // one load and one store a round, as in a program that publishes progress
  for (long i = 0; i < work->rounds; i++) *counter = *counter + 1;
  return NULL;
}

int main(int argc, char** argv) {
  int packed = argc > 1 && strcmp(argv[1], "packed") == 0;
  if (argc < 2 || (!packed && strcmp(argv[1], "padded") != 0)) {
    fprintf(stderr, "usage: false_sharing packed|padded [--threads N] [--rounds N]\n");
    return 2;
  }
  long threads = option(argc, argv, "--threads", 4, 1, kMaxThreads);
  long rounds = option(argc, argv, "--rounds", 300000000, 1, 100000000000);
  size_t stride = packed ? 1 : kWordsPerPage;

  struct Work work[kMaxThreads];
  for (long i = 0; i < threads; i++) work[i] = (struct Work){&counters[(size_t)i * stride], rounds};
  double begin = seconds_now();
  run_threads(count, work, sizeof work[0], threads);
  double seconds = seconds_now() - begin;
  fprintf(stderr, "false_sharing %s: %.2f s, %.0f million rounds a second\n", argv[1], seconds,
          (double)(threads * rounds) / seconds / 1e6);

  uint64_t sum = 0;
  for (long i = 0; i < threads; i++) sum += *work[i].counter;
  int right = sum == (uint64_t)threads * (uint64_t)rounds;
  printf("false_sharing %s: %ld threads counted to %llu, %s\n", argv[1], threads, (unsigned long long)sum,
         right ? "none lost" : "WRONG");
  return right ? 0 : 1;
}
