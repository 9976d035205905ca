// SPDX-License-Identifier: Apache-2.0
// How often does each byte value occur in a large array? Threads count parts of it and add up at the end.
//
// Why it distributes well: a large input that is only read, one small result. The main thread fills the array, so the
// pages start on node 0 and flow to the readers once, in order, which dsm notices and fetches ahead. Counting into a
// private table and adding it up under a lock costs one page transfer a thread; counting into a shared table would
// cost one a byte.
#include "support.h"

enum { kBins = 256 };

struct Result {
  pthread_mutex_t lock;
  uint64_t bin[kBins];
};

struct Part {
  const unsigned char* data;
  size_t bytes;
  long passes;
  struct Result* result;
};

static void fill(unsigned char* data, size_t bytes) {
  uint64_t state = 1;
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    uint64_t word = next_random(&state);
    word &= next_random(&state);  // an uneven distribution: few bits set
    memcpy(data + i, &word, 8);
  }
}

static void* count(void* argument) {
  const struct Part* part = argument;
  uint64_t bin[kBins] = {0};
  for (long pass = 0; pass < part->passes; pass++) {
    for (size_t i = 0; i < part->bytes; i++) bin[part->data[i]]++;
  }
  pthread_mutex_lock(&part->result->lock);
  for (int i = 0; i < kBins; i++) part->result->bin[i] += bin[i];
  pthread_mutex_unlock(&part->result->lock);
  return NULL;
}

int main(int argc, char** argv) {
  long threads = option(argc, argv, "--threads", 4, 1, kMaxThreads);
  long mib = option(argc, argv, "--mib", 64, 1, 65536);
  long passes = option(argc, argv, "--passes", 60, 1, 1000000);
  size_t bytes = (size_t)mib << 20;
  unsigned char* data = page_aligned(bytes);
  struct Result* result = page_aligned(sizeof *result);
  pthread_mutex_init(&result->lock, NULL);
  fill(data, bytes);

  struct Part part[kMaxThreads];
  for (long i = 0; i < threads; i++) {
    size_t first = bytes / (size_t)threads * (size_t)i;
    size_t last = i + 1 == threads ? bytes : bytes / (size_t)threads * (size_t)(i + 1);
    part[i] = (struct Part){data + first, last - first, passes, result};
  }
  double begin = seconds_now();
  run_threads(count, part, sizeof part[0], threads);
  fprintf(stderr, "histogram: %.2f s\n", seconds_now() - begin);

  uint64_t sum = 0;
  for (int i = 0; i < kBins; i++) sum += result->bin[i];
  int right = sum == (uint64_t)bytes * (uint64_t)passes;
  printf("histogram: %ld MiB, %ld passes, 0x00 occurs %llu times, 0xff %llu times, digest %016llx, %s\n", mib, passes,
         (unsigned long long)result->bin[0], (unsigned long long)result->bin[255],
         (unsigned long long)digest(result->bin, sizeof result->bin), right ? "all counted" : "WRONG");
  return right ? 0 : 1;
}
