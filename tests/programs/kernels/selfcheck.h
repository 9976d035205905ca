// SPDX-License-Identifier: Apache-2.0
// What every kernel of this folder needs: a check that ends the program loudly, deterministic
// pseudo-random numbers, a hash and a unit of pure computation.
//
// A kernel prints only what is the same in every correct run (no times, ids or addresses), because
// its native standard output is the oracle for the distributed run. Its own checks go further:
// they would also notice a run that is wrong in the same way twice.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define kPageSize 4096

// Ends the process with status 1 and one line that names the place. _exit, so that a failing
// thread does not wait for the others.
#define CHECK(condition)                                                                 \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      fprintf(stderr, "%s:%d: check failed: %s (errno %d, %s)\n", __FILE__, __LINE__,    \
              #condition, errno, strerror(errno));                                       \
      fflush(stderr);                                                                    \
      _exit(1);                                                                          \
    }                                                                                    \
  } while (0)

// As CHECK, for calls that return an error number.
#define CHECK_ZERO(call)                                                                 \
  do {                                                                                   \
    int check_result_ = (call);                                                          \
    if (check_result_ != 0) {                                                            \
      fprintf(stderr, "%s:%d: %s gave %d (%s)\n", __FILE__, __LINE__, #call,             \
              check_result_, strerror(check_result_ > 0 ? check_result_ : -check_result_)); \
      fflush(stderr);                                                                    \
      _exit(1);                                                                          \
    }                                                                                    \
  } while (0)

// The splitmix64 finaliser: a bijection, so distinct inputs give distinct values.
static inline uint64_t mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// One dependent chain of `steps` mixes: about 4 ns each on the reference machine, touches no memory.
static inline uint64_t compute(uint64_t seed, long steps) {
  for (long i = 0; i < steps; i++) seed = mix64(seed);
  return seed;
}

static inline uint64_t hash_bytes(const void* data, size_t size) {
  const unsigned char* bytes = (const unsigned char*)data;
  uint64_t hash = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001b3ull;
  return hash;
}

// Threads body(0) .. body(count - 1), all at once, until all have ended.
static inline void start_and_join(int count, void* (*body)(void*)) {
  enum { kMostThreads = 64 };
  pthread_t threads[kMostThreads];
  CHECK(count <= kMostThreads);
  for (uintptr_t i = 0; i < (uintptr_t)count; i++) CHECK_ZERO(pthread_create(&threads[i], NULL, body, (void*)i));
  for (int i = 0; i < count; i++) CHECK_ZERO(pthread_join(threads[i], NULL));
}

// The index-th command line argument as a number, or `fallback` without it.
static inline long number_argument(int argc, char** argv, int index, long fallback) {
  return index < argc ? strtol(argv[index], NULL, 0) : fallback;
}
