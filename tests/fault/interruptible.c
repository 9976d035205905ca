// SPDX-License-Identifier: Apache-2.0
// Computes in threads until SIGINT comes. Says `ready` once all threads run; with the argument
// `handle` a handler says `interrupted` and the exit status is 3, else the signal ends the process.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { kThreads = 4, kHandledStatus = 3 };

static atomic_int g_running;
static volatile sig_atomic_t g_interrupted;

static void on_interrupt(int signal) {
  (void)signal;
  g_interrupted = 1;
}

static void* run(void* unused) {
  atomic_fetch_add(&g_running, 1);
  for (volatile unsigned long x = 1;; x = x * 6364136223846793005ul + 1) continue;
  return unused;
}

int main(int argc, char** argv) {
  int handled = argc > 1 && strcmp(argv[1], "handle") == 0;
  if (handled) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    if (sigaction(SIGINT, &action, NULL) != 0) return 1;
  }
  pthread_t id;
  for (int t = 0; t < kThreads; t++)
    if (pthread_create(&id, NULL, run, NULL) != 0) return 1;
  while (atomic_load(&g_running) < kThreads) usleep(1000);
  puts("ready");
  fflush(stdout);
  // Any thread may take the signal, so the wait ends by itself now and then.
  while (!g_interrupted) usleep(10000);
  puts("interrupted");
  fflush(stdout);
  _exit(kHandledStatus);
}
