// SPDX-License-Identifier: Apache-2.0
// Two threads that compute until SIGTERM ends the process. Says "ready" when both run.
//
//   busy_threads
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "selfcheck.h"

enum { kThreads = 2, kMostSeconds = 120 };

static atomic_int g_running;

static void* compute_on(void* unused) {
  volatile unsigned long steps = 0;
  atomic_fetch_add(&g_running, 1);
  for (;;) steps++;
  return unused;
}

int main(void) {
  pthread_t thread[kThreads];
  alarm(kMostSeconds);
  for (int i = 0; i < kThreads; i++) CHECK_ZERO(pthread_create(&thread[i], NULL, compute_on, NULL));
  while (atomic_load(&g_running) < kThreads) usleep(1000);
  puts("ready");
  fflush(stdout);
  pthread_join(thread[0], NULL);
  return 0;
}
