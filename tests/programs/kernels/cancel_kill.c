// SPDX-License-Identifier: Apache-2.0
// pthread_cancel and pthread_kill to remote threads: cancelled in a blocking read, in a condition
// wait (the cleanup must hold the mutex), in a sleep and in the middle of computing; signalled in a
// loop, in a read that restarts or gives EINTR, while blocked, and in sigwait.
//
//   cancel_kill [rounds] [work]
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "selfcheck.h"

enum { kSeconds = 20 };  // no hand-over takes longer than this in a correct run

static long g_work;
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_never = PTHREAD_COND_INITIALIZER;
static int g_pipe[2];
static atomic_int g_ready, g_cancelled, g_cleaned, g_handled;
static __thread atomic_int t_handled;

static void pause_briefly(void) {
  struct timespec step = {.tv_nsec = 200000};
  nanosleep(&step, NULL);
}

static void wait_until(atomic_int* value, int wanted) {
  time_t deadline = time(NULL) + kSeconds;
  while (atomic_load(value) < wanted) {
    CHECK(time(NULL) <= deadline);
    pause_briefly();
  }
}

static void count_cleanup(void* unused) {
  (void)unused;
  atomic_fetch_add(&g_cleaned, 1);
}

static void unlock_cleanup(void* lock) {
  CHECK_ZERO(pthread_mutex_unlock(lock));  // fails, error-checking, unless we hold it
  atomic_fetch_add(&g_cleaned, 1);
}

static void* block_in_read(void* unused) {
  char byte;
  pthread_cleanup_push(count_cleanup, unused);
  atomic_fetch_add(&g_ready, 1);
  ssize_t n = read(g_pipe[0], &byte, 1);
  CHECK(n == -2);  // nobody writes: only cancellation leaves the call
  pthread_cleanup_pop(0);
  return NULL;
}

static void* block_in_condition(void* unused) {
  (void)unused;
  CHECK_ZERO(pthread_mutex_lock(&g_lock));
  pthread_cleanup_push(unlock_cleanup, &g_lock);
  atomic_fetch_add(&g_ready, 1);
  for (;;) pthread_cond_wait(&g_never, &g_lock);
  pthread_cleanup_pop(0);
  return NULL;
}

static void* block_in_sleep(void* unused) {
  pthread_cleanup_push(count_cleanup, unused);
  atomic_fetch_add(&g_ready, 1);
  struct timespec long_time = {.tv_sec = 1000};
  nanosleep(&long_time, NULL);
  CHECK(!"slept through");
  pthread_cleanup_pop(0);
  return NULL;
}

static void* compute_for_ever(void* unused) {
  int old;
  CHECK_ZERO(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old));
  pthread_cleanup_push(count_cleanup, unused);
  atomic_fetch_add(&g_ready, 1);
  for (volatile uint64_t x = 1;;) x = mix64(x);
  pthread_cleanup_pop(0);
  return NULL;
}

// Refuses until it has finished its work, then ends at the test.
static void* cancel_later(void* unused) {
  int old;
  CHECK_ZERO(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
  pthread_cleanup_push(count_cleanup, unused);
  atomic_fetch_add(&g_ready, 1);
  volatile uint64_t x = compute(1, g_work);
  (void)x;
  wait_until(&g_cancelled, 1);
  CHECK_ZERO(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old));
  pthread_testcancel();
  CHECK(!"cancellation was lost");
  pthread_cleanup_pop(0);
  return NULL;
}

static void cancel_each(void* (*const* bodies)(void*), int count) {
  pthread_t ids[8];
  atomic_store(&g_ready, 0);
  atomic_store(&g_cancelled, 0);
  atomic_store(&g_cleaned, 0);
  for (int i = 0; i < count; i++) CHECK_ZERO(pthread_create(&ids[i], NULL, bodies[i], NULL));
  wait_until(&g_ready, count);
  volatile uint64_t x = compute(2, g_work);
  (void)x;
  for (int i = 0; i < count; i++) CHECK_ZERO(pthread_cancel(ids[i]));
  atomic_store(&g_cancelled, 1);
  for (int i = 0; i < count; i++) {
    void* value = NULL;
    CHECK_ZERO(pthread_join(ids[i], &value));
    CHECK(value == PTHREAD_CANCELED);
  }
  CHECK(atomic_load(&g_cleaned) == count);
  CHECK_ZERO(pthread_mutex_trylock(&g_lock));
  CHECK_ZERO(pthread_mutex_unlock(&g_lock));
}

static void on_signal(int signal) {
  CHECK(signal == SIGUSR1 || signal == SIGUSR2);
  atomic_fetch_add(&t_handled, 1);
  atomic_fetch_add(&g_handled, 1);
}

static void* handle_while_computing(void* wanted) {
  atomic_fetch_add(&g_ready, 1);
  volatile uint64_t x = 1;
  time_t deadline = time(NULL) + kSeconds;
  while (atomic_load(&t_handled) < (long)wanted) {
    x = compute(x, 1000);
    CHECK(time(NULL) <= deadline);
  }
  return NULL;
}

// SIGUSR1 restarts the read, SIGUSR2 interrupts it, a byte ends it.
static void* handle_while_reading(void* unused) {
  (void)unused;
  char byte = 0;
  atomic_fetch_add(&g_ready, 1);
  CHECK(read(g_pipe[0], &byte, 1) == -1 && errno == EINTR);
  CHECK(atomic_load(&t_handled) >= 2);
  atomic_fetch_add(&g_ready, 1);
  ssize_t n;
  while ((n = read(g_pipe[0], &byte, 1)) == -1 && errno == EINTR) continue;
  CHECK(n == 1 && byte == 'x');
  return NULL;
}

static void* hold_blocked(void* unused) {
  (void)unused;
  sigset_t one, pending;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  CHECK_ZERO(pthread_sigmask(SIG_BLOCK, &one, NULL));
  atomic_fetch_add(&g_ready, 1);
  time_t deadline = time(NULL) + kSeconds;
  do {
    CHECK_ZERO(sigpending(&pending));
    CHECK(time(NULL) <= deadline);
  } while (!sigismember(&pending, SIGUSR1));
  CHECK(atomic_load(&t_handled) == 0);
  CHECK_ZERO(pthread_sigmask(SIG_UNBLOCK, &one, NULL));
  CHECK(atomic_load(&t_handled) == 1);
  CHECK_ZERO(pthread_sigmask(SIG_BLOCK, &one, NULL));
  int got = 0;
  atomic_fetch_add(&g_ready, 1);
  CHECK_ZERO(sigwait(&one, &got));
  CHECK(got == SIGUSR1 && atomic_load(&t_handled) == 1);
  return NULL;
}

static void install(int signal, int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = flags;
  CHECK_ZERO(sigaction(signal, &action, NULL));
}

// Nothing shows that the reader is inside its call, and a signal that comes before it interrupts
// nothing: SIGUSR2 is repeated until the reader says that it saw EINTR.
static void signal_reader(pthread_t reader) {
  wait_until(&g_ready, 1);
  CHECK_ZERO(pthread_kill(reader, SIGUSR1));
  wait_until(&g_handled, 1);
  time_t deadline = time(NULL) + kSeconds;
  while (atomic_load(&g_ready) < 2) {
    for (int i = 0; i < 10; i++) pause_briefly();
    CHECK_ZERO(pthread_kill(reader, SIGUSR2));
    CHECK(time(NULL) <= deadline);
  }
  CHECK(write(g_pipe[1], "x", 1) == 1);
}

static void signal_each(void) {
  pthread_t ids[4];
  void* (*bodies[4])(void*) = {handle_while_computing, handle_while_computing,
                               handle_while_reading, hold_blocked};
  for (int i = 0; i < 4; i++) {
    atomic_store(&g_ready, 0);
    atomic_store(&g_handled, 0);
    CHECK_ZERO(pthread_create(&ids[i], NULL, bodies[i], (void*)20L));
    wait_until(&g_ready, 1);
    if (i < 2) {
      for (int k = 1; k <= 20; k++) {  // one after the other: equal pending signals merge
        CHECK_ZERO(pthread_kill(ids[i], k % 2 ? SIGUSR1 : SIGUSR2));
        wait_until(&g_handled, k);
      }
    } else if (i == 2) {
      signal_reader(ids[i]);
    } else {
      CHECK_ZERO(pthread_kill(ids[i], SIGUSR1));
      wait_until(&g_ready, 2);
      CHECK_ZERO(pthread_kill(ids[i], SIGUSR1));
    }
    CHECK_ZERO(pthread_join(ids[i], NULL));
  }
}

int main(int argc, char** argv) {
  long rounds = number_argument(argc, argv, 1, 18);
  g_work = number_argument(argc, argv, 2, 6500000);
  pthread_mutexattr_t attributes;
  CHECK_ZERO(pthread_mutexattr_init(&attributes));
  CHECK_ZERO(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK));
  CHECK_ZERO(pthread_mutex_init(&g_lock, &attributes));
  CHECK_ZERO(pipe(g_pipe));
  install(SIGUSR1, SA_RESTART);
  install(SIGUSR2, 0);
  void* (*const cancelled[])(void*) = {block_in_read,  block_in_condition, block_in_sleep,
                                       compute_for_ever, cancel_later,     block_in_condition};
  for (long round = 0; round < rounds; round++) {
    cancel_each(cancelled, 6);
    signal_each();
  }
  printf("%ld rounds of 6 cancelled and 4 signalled threads ok\n", rounds);
  return 0;
}
