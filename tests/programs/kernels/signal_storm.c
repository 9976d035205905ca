// SPDX-License-Identifier: Apache-2.0
// Thousands of signals at threads in all states: no real-time signal is lost, merged or overtaken, wherever its thread
// runs and whatever it does; bytes in pipes, mutexes and computations stay right.
//
//   signal_storm [signals to each thread]
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>

#include "selfcheck.h"

enum { kThreads = 8, kBlock = 24 << 10, kSeconds = 60, kTimerUs = 3000 };

static int g_own, g_shared;   // signals for one thread, in order; signals for the process
static long g_signals;
static atomic_int g_ready, g_done;
static atomic_long g_got[kThreads], g_shared_got, g_shared_sum, g_ticks;
static _Thread_local long t_expected;
static _Thread_local int t_number = -1;
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static long g_counter, g_rounds[kThreads];
static int g_pipe[2];

static void take_own(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  CHECK(t_number >= 0 && info->si_pid == getpid() && info->si_value.sival_int == t_expected);
  t_expected++;
  atomic_fetch_add(&g_got[t_number], 1);
}

static void take_shared(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  atomic_fetch_add(&g_shared_sum, info->si_value.sival_int);
  atomic_fetch_add(&g_shared_got, 1);
}

static void take_tick(int signal) {
  (void)signal;
  atomic_fetch_add(&g_ticks, 1);
}

static void mask_own(int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, g_own);
  sigaddset(&set, SIGALRM);
  CHECK_ZERO(pthread_sigmask(how, &set, NULL));
}

static void* do_nothing(void* unused) { return unused; }

static void write_whole(const char* bytes, size_t size) {
  while (size > 0) {
    ssize_t gave = write(g_pipe[1], bytes, size);   // a handler may end it with a part
    CHECK(gave > 0);
    bytes += gave;
    size -= (size_t)gave;
  }
}

// One thing that a thread may be at when a signal comes.
static void live(int number, long round) {
  static char out[kBlock], in[kBlock];
  switch (number) {
    case 0: CHECK(compute(1, 5000) == compute(1, 5000)); break;
    case 1:   // with its partner: every byte arrives once and in order
      for (int i = 0; i < kBlock; i++) out[i] = (char)(round * 7 + i);
      write_whole(out, sizeof out);
      break;
    case 2:
      for (size_t have = 0; have < sizeof in;) {
        ssize_t got = read(g_pipe[0], in + have, sizeof in - have);
        CHECK(got > 0);
        have += (size_t)got;
      }
      for (int i = 0; i < kBlock; i++) CHECK(in[i] == (char)(round * 7 + i));
      break;
    case 3: {
      pthread_t child;
      mask_own(SIG_BLOCK);   // the child has no number
      CHECK_ZERO(pthread_create(&child, NULL, do_nothing, NULL));
      mask_own(SIG_UNBLOCK);
      CHECK_ZERO(pthread_join(child, NULL));
      break;
    }
    case 4: {
      siginfo_t info;
      sigset_t set;
      struct timespec limit = {0, 2000000};
      sigemptyset(&set);
      sigaddset(&set, g_own);
      mask_own(SIG_BLOCK);
      for (int i = 0; i < 5; i++)
        if (sigtimedwait(&set, &info, &limit) == g_own) take_own(g_own, &info, NULL);
      mask_own(SIG_UNBLOCK);
      break;
    }
    case 5: usleep(500); break;
    case 6: {
      sigset_t during;
      pthread_sigmask(SIG_SETMASK, NULL, &during);
      struct timespec limit = {0, 1000000};
      mask_own(SIG_BLOCK);
      ppoll(NULL, 0, &limit, &during);
      mask_own(SIG_UNBLOCK);
      break;
    }
    default: poll(NULL, 0, 1); break;
  }
}

static void* target(void* argument) {
  const int number = *(int*)argument;
  t_number = number;
  atomic_fetch_add(&g_ready, 1);
  mask_own(SIG_UNBLOCK);
  // The two ends of the pipe make the same number of rounds, the others as many as the storm lasts.
  const int is_pipe = number == 1 || number == 2;
  for (long round = 0; is_pipe ? round < 300 : !atomic_load(&g_done); round++) {
    live(number, round);
    CHECK_ZERO(pthread_mutex_lock(&g_lock));
    g_counter++;
    CHECK_ZERO(pthread_mutex_unlock(&g_lock));
    g_rounds[number]++;
  }
  while (!atomic_load(&g_done)) usleep(1000);
  return NULL;
}

static void handle(int signal, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
  CHECK_ZERO(sigaction(signal, &action, NULL));
}

static void wait_for(atomic_long* value, long wanted) {
  for (time_t until = time(NULL) + kSeconds; atomic_load(value) < wanted; usleep(1000)) CHECK(time(NULL) < until);
}

int main(int argc, char** argv) {
  pthread_t thread[kThreads];
  int number[kThreads];
  g_signals = argc > 1 ? atol(argv[1]) : 400;
  g_own = SIGRTMIN + 1;
  g_shared = SIGRTMIN + 2;
  CHECK_ZERO(pipe(g_pipe));
  handle(g_own, take_own);
  handle(g_shared, take_shared);
  struct sigaction tick = {.sa_handler = take_tick, .sa_flags = SA_RESTART};
  CHECK_ZERO(sigaction(SIGALRM, &tick, NULL));
  mask_own(SIG_BLOCK);   // until a thread has its number, and in the main thread for good
  for (int i = 0; i < kThreads; i++) {
    number[i] = i;
    CHECK_ZERO(pthread_create(&thread[i], NULL, target, &number[i]));
  }
  while (atomic_load(&g_ready) < kThreads) usleep(1000);
  const struct itimerval each = {{0, kTimerUs}, {0, kTimerUs}}, never = {{0, 0}, {0, 0}};
  CHECK_ZERO(setitimer(ITIMER_REAL, &each, NULL));
  for (long i = 0; i < g_signals; i++) {
    const union sigval value = {.sival_int = (int)i};
    for (int k = 0; k < kThreads; k++)
      while (pthread_sigqueue(thread[k], g_own, value) != 0) usleep(500);   // the queue is full
    while (sigqueue(getpid(), g_shared, value) != 0) usleep(500);
    if (i % 10 == 9) usleep(2000);   // gusts: between them the threads get to their waits
  }
  for (int k = 0; k < kThreads; k++) wait_for(&g_got[k], g_signals);
  wait_for(&g_shared_got, g_signals);
  CHECK_ZERO(setitimer(ITIMER_REAL, &never, NULL));
  atomic_store(&g_done, 1);
  long rounds = 0;
  for (int k = 0; k < kThreads; k++) {
    CHECK_ZERO(pthread_join(thread[k], NULL));
    rounds += g_rounds[k];
  }
  CHECK(rounds == g_counter && atomic_load(&g_ticks) > 0);
  for (int k = 0; k < kThreads; k++) printf("thread %d: %ld\n", k, atomic_load(&g_got[k]));
  printf("process: %ld, sum %ld\n", atomic_load(&g_shared_got), atomic_load(&g_shared_sum));
  return 0;
}
