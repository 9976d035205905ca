// SPDX-License-Identifier: Apache-2.0
// What every example needs and none is about: options, threads, time, a digest of the result.
//
// The examples are ordinary pthread programs. They know nothing of nodes: `./stencil` and
// `dsm-launch -n 4 -- ./stencil` must print the same bytes on stdout. What may differ (times) goes to stderr.
#pragma once
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { kPageBytes = 4096, kMaxThreads = 256 };

static inline void stop_with(const char* what) {
  fprintf(stderr, "error: %s\n", what);
  exit(2);
}

// The value of `--name N` in [low, high], or `fallback` if the option is absent.
static inline long option(int argc, char** argv, const char* name, long fallback, long low, long high) {
  for (int i = 1; i + 1 < argc; i++) {
    if (strcmp(argv[i], name) != 0) continue;
    char* end = NULL;
    long value = strtol(argv[i + 1], &end, 10);
    if (*argv[i + 1] == 0 || *end != 0 || value < low || value > high) {
      fprintf(stderr, "error: %s takes a number from %ld to %ld\n", name, low, high);
      exit(2);
    }
    return value;
  }
  return fallback;
}

static inline double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

// Runs body(&work[i]) in one thread for each of `count` elements of `size` bytes, and waits for all of them.
static inline void run_threads(void* (*body)(void*), void* work, size_t size, long count) {
  pthread_t thread[kMaxThreads];
  for (long i = 0; i < count; i++) {
    if (pthread_create(&thread[i], NULL, body, (char*)work + (size_t)i * size) != 0) stop_with("cannot create a thread");
  }
  for (long i = 0; i < count; i++) {
    if (pthread_join(thread[i], NULL) != 0) stop_with("cannot join a thread");
  }
}

// Zeroed memory that begins on a page, so that what threads own apart lies on pages apart.
static inline void* page_aligned(size_t bytes) {
  void* memory = NULL;
  if (posix_memalign(&memory, kPageBytes, bytes) != 0) stop_with("out of memory");
  memset(memory, 0, bytes);
  return memory;
}

// A small generator with a state of its own per use, so that inputs are the same in every run.
static inline uint64_t next_random(uint64_t* state) {
  *state += 0x9e3779b97f4a7c15u;
  uint64_t z = *state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// FNV-1a: enough to see that two results are the same bytes.
static inline uint64_t digest(const void* data, size_t bytes) {
  const unsigned char* at = (const unsigned char*)data;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ at[i]) * 0x100000001b3u;
  return hash;
}

#ifdef __cplusplus
}
#endif
