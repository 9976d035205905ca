// SPDX-License-Identifier: Apache-2.0
// The clocks that count from the start of a host, seen by threads that hand a turn to one another: none may go back, and times
// that one thread computes must mean the same to the thread that waits for them. The hosts' own differ by days.
#include <time.h>

#include "tests/programs/kernels/selfcheck.h"

enum { kThreads = 8, kTurns = 40 };

static const clockid_t kClocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE};
enum { kClockCount = sizeof kClocks / sizeof kClocks[0] };

static const int64_t kDelayNs = 100000000, kMostLateNs = 20000000000;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static int turn;
static int64_t last[kClockCount];

static int64_t nanoseconds(struct timespec t) { return t.tv_sec * 1000000000ll + t.tv_nsec; }
static struct timespec time_of(int64_t ns) { return (struct timespec){ns / 1000000000, ns % 1000000000}; }

static int64_t now(clockid_t clock) {
  struct timespec t;
  CHECK(clock_gettime(clock, &t) == 0);
  return nanoseconds(t);
}

static void read_all(void) {
  for (int i = 0; i < kClockCount; i++) {
    const int64_t here = now(kClocks[i]);
    CHECK(here >= last[i]);
    last[i] = here;
  }
}

// Times out after kDelayNs, neither at once nor in days.
static void timed_waits(void) {
  const int64_t begin = now(CLOCK_MONOTONIC);
  const struct timespec until = time_of(begin + kDelayNs), boot = time_of(now(CLOCK_BOOTTIME) + kDelayNs);
  pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  pthread_condattr_t attributes;
  pthread_cond_t never;
  CHECK_ZERO(pthread_condattr_init(&attributes));
  CHECK_ZERO(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
  CHECK_ZERO(pthread_cond_init(&never, &attributes));
  CHECK_ZERO(pthread_mutex_lock(&own));
  int result;
  do result = pthread_cond_timedwait(&never, &own, &until);
  while (result == 0);
  CHECK(result == ETIMEDOUT);
  CHECK_ZERO(pthread_mutex_unlock(&own));
  CHECK(now(CLOCK_MONOTONIC) >= begin + kDelayNs && now(CLOCK_MONOTONIC) < begin + kMostLateNs);
  CHECK_ZERO(clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &boot, NULL));
  CHECK(now(CLOCK_BOOTTIME) >= nanoseconds(boot));
  const struct timespec again = time_of(now(CLOCK_MONOTONIC) + kDelayNs);
  CHECK_ZERO(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &again, NULL));
  CHECK(now(CLOCK_MONOTONIC) >= nanoseconds(again) && now(CLOCK_MONOTONIC) < nanoseconds(again) + kMostLateNs);
}

static void* run(void* argument) {
  const int self = (int)(intptr_t)argument;
  for (int i = 0; i < kTurns; i++) {
    CHECK_ZERO(pthread_mutex_lock(&lock));
    while (turn % kThreads != self) CHECK_ZERO(pthread_cond_wait(&changed, &lock));
    read_all();
    turn++;
    CHECK_ZERO(pthread_cond_broadcast(&changed));
    CHECK_ZERO(pthread_mutex_unlock(&lock));
  }
  timed_waits();
  return NULL;
}

int main(void) {
  pthread_t thread[kThreads];
  CHECK_ZERO(pthread_cond_init(&changed, NULL));
  read_all();
  for (int i = 0; i < kThreads; i++) CHECK_ZERO(pthread_create(&thread[i], NULL, run, (void*)(intptr_t)i));
  for (int i = 0; i < kThreads; i++) CHECK_ZERO(pthread_join(thread[i], NULL));
  read_all();
  printf("%d turns, %d clocks\n", turn, (int)kClockCount);
  return 0;
}
