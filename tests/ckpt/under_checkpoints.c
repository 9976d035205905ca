/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that compute, count under a lock, sleep and read a pipe while the main thread asks for checkpoints. What they count must
 * agree in the end, no call may fail or end early; so whatever happens to the process in between, the output is one line.
 *
 *   under_checkpoints ROUNDS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libdsm/runtime/dsm_calls.h"

enum { kComputing = 3, kSleeping = 2, kSleepNs = 20000000, kBatch = 20000 };

static atomic_int go_on = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long counted_together, counted_alone[kComputing], letters_read;
static int letters[2];

static void expect(int good, const char* what) {
  if (good) return;
  printf("wrong: %s\n", what);
  fflush(stdout);
  _exit(3);
}

static void* compute(void* argument) {
  long* alone = argument;
  unsigned long x = (unsigned long)alone | 1;
  while (atomic_load(&go_on)) {
    for (int i = 0; i < kBatch; i++) x = x * 6364136223846793005ul + 1;
    ++*alone;
    pthread_mutex_lock(&lock);
    counted_together++;
    pthread_mutex_unlock(&lock);
  }
  return (void*)x;
}

/* A restart may lie within a sleep: the clock is the machine's, so only a sleep that is too short is wrong. */
static void* sleep_again_and_again(void* unused) {
  const struct timespec time = {0, kSleepNs};
  while (atomic_load(&go_on)) expect(nanosleep(&time, NULL) == 0, "a sleep was interrupted");
  return unused;
}

static void* read_letters(void* unused) {
  for (char letter = 0; letter != 'x'; letters_read++) expect(read(letters[0], &letter, 1) == 1, "a read failed");
  return unused;
}

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? atol(argv[1]) : 5;
  pthread_t thread[kComputing + kSleeping + 1];
  int threads = 0;
  expect(pipe(letters) == 0, "pipe");
  for (long i = 0; i < kComputing; i++) pthread_create(&thread[threads++], NULL, compute, &counted_alone[i]);
  for (int i = 0; i < kSleeping; i++) pthread_create(&thread[threads++], NULL, sleep_again_and_again, NULL);
  pthread_create(&thread[threads++], NULL, read_letters, NULL);
  const struct timespec pause = {0, kSleepNs};
  for (long i = 0; i < rounds; i++) {
    nanosleep(&pause, NULL);
    expect(write(letters[1], "a", 1) == 1, "write");
    syscall(DSM_CALL_CHECKPOINT);   /* alone: ENOSYS */
  }
  atomic_store(&go_on, 0);
  expect(write(letters[1], "x", 1) == 1, "write");
  for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
  long alone = 0;
  for (int i = 0; i < kComputing; i++) alone += counted_alone[i];
  expect(alone == counted_together, "the sum");
  expect(letters_read == rounds + 1, "letters");
  printf("%ld letters, the sums agree\n", letters_read);
  return 0;
}
