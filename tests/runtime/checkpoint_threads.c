/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads in all kinds of calls, and in none, while one of them takes a checkpoint. Each checks what its call returned, how long it took,
 * and that its registers, its name and its id are what they were. Same output alone, under the runtime and restored.
 *
 *   checkpoint_threads [main-ends]
 *
 * main-ends: the main thread ends first, and another one takes the checkpoint.
 */
#include <errno.h>
#include <immintrin.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libdsm/runtime/dsm_calls.h"

enum { kTimeoutMs = 1500 };

static pthread_barrier_t ready;
static volatile int taken;   /* the checkpoint */
static int never_written[2], written_later[2], event;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, held, inherited;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t posted;
static int condition_met;
static int word;
static __thread long local;

static long now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void checkpoint(void) {
  fflush(stdout);
  errno = 0;
  if (syscall(DSM_CALL_CHECKPOINT) < 0 && errno != ENOSYS) printf("checkpoint: %s\n", strerror(errno));
  taken = 1;
}

/* A time-out of kTimeoutMs is neither early nor shortened to nothing. After a restart the time in between does not count. */
static const char *in_time(long began) {
  const long took = now_ms() - began;
  return took >= kTimeoutMs - 2 ? "in time" : "too early";
}

static const char *sleeper(void) {
  const long began = now_ms();
  const struct timespec time = {kTimeoutMs / 1000, kTimeoutMs % 1000 * 1000000l};
  const int result = nanosleep(&time, NULL);
  return result == 0 ? in_time(began) : "interrupted";
}

static const char *futex_waiter(void) {
  const long began = now_ms();
  const struct timespec time = {kTimeoutMs / 1000, kTimeoutMs % 1000 * 1000000l};
  const long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0);
  return result < 0 && errno == ETIMEDOUT ? in_time(began) : "woken";
}

static const char *poller(void) {
  const long began = now_ms();
  struct pollfd wait = {never_written[0], POLLIN, 0};
  const int result = poll(&wait, 1, kTimeoutMs);
  return result == 0 ? in_time(began) : "ready";
}

static const char *epoller(void) {
  const int set = epoll_create1(0);
  struct epoll_event event_wanted = {EPOLLIN, {.fd = 5}}, seen;
  epoll_ctl(set, EPOLL_CTL_ADD, never_written[0], &event_wanted);
  const long began = now_ms();
  return epoll_wait(set, &seen, 1, kTimeoutMs) == 0 ? in_time(began) : "ready";
}

static const char *reader(void) {
  char text[8] = {0};
  return read(written_later[0], text, 5) == 5 && strcmp(text, "later") == 0 ? "read" : "not read";
}

static const char *event_reader(void) {
  unsigned long value = 0;
  return read(event, &value, sizeof value) == 8 && value == 9 ? "event" : "no event";
}

static const char *condition_waiter(void) {
  pthread_mutex_lock(&mutex);
  while (!condition_met) pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
  return "met";
}

static const char *semaphore_waiter(void) { return sem_wait(&posted) == 0 ? "posted" : "not posted"; }

static const char *lock_waiter(void) {
  if (pthread_mutex_lock(&held) != 0) return "not locked";
  pthread_mutex_unlock(&held);
  return "locked";
}

static const char *inheriting_waiter(void) {
  if (pthread_mutex_lock(&inherited) != 0) return "not locked";
  pthread_mutex_unlock(&inherited);
  return "locked";
}

static const char *signal_waiter(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  int number = 0;
  return sigwait(&set, &number) == 0 && number == SIGUSR1 ? "signal" : "no signal";
}

static const char *limited_signal_waiter(void) {
  const long began = now_ms();
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  const struct timespec time = {kTimeoutMs / 1000, kTimeoutMs % 1000 * 1000000l};
  return sigtimedwait(&set, NULL, &time) < 0 && errno == EAGAIN ? in_time(began) : "signal";
}

/* In no call: vector and general registers live across the checkpoint. */
static const char *computer(void) {
  __m128d sum = _mm_set_pd(1.5, 2.5);
  const __m128d one = _mm_set_pd(1, 1);
  unsigned long rounds = 0, chain = 1;
  while (!taken || rounds % 1000 != 0) {
    sum = _mm_add_pd(sum, one);
    __asm__ volatile("" : "+x"(sum), "+r"(chain));
    chain = chain * 6364136223846793005ul + 1442695040888963407ul;
    rounds++;
  }
  double total[2];
  _mm_storeu_pd(total, sum);
  unsigned long check = 1;
  for (unsigned long i = 0; i < rounds; i++) check = check * 6364136223846793005ul + 1442695040888963407ul;
  return total[0] == 2.5 + (double)rounds && total[1] == 1.5 + (double)rounds && check == chain ? "computed" : "wrong registers";
}

static const char *clock_reader(void) {
  struct timespec time;
  long before = 0;
  while (!taken) {
    clock_gettime(CLOCK_MONOTONIC, &time);
    const long now = time.tv_sec * 1000000000l + time.tv_nsec;
    if (now < before && !taken) return "went back";   /* behind the checkpoint it may, on another host */
    before = now;
  }
  return "clock";
}

static struct Worker {
  const char *name;
  const char *(*run)(void);
  pthread_t thread;
  long tid;
  const char *result;
} workers[] = {{"sleeper", sleeper, 0, 0, NULL},
               {"futex", futex_waiter, 0, 0, NULL},
               {"poll", poller, 0, 0, NULL},
               {"epoll", epoller, 0, 0, NULL},
               {"read", reader, 0, 0, NULL},
               {"eventfd", event_reader, 0, 0, NULL},
               {"condition", condition_waiter, 0, 0, NULL},
               {"semaphore", semaphore_waiter, 0, 0, NULL},
               {"lock", lock_waiter, 0, 0, NULL},
               {"pi lock", inheriting_waiter, 0, 0, NULL},
               {"sigwait", signal_waiter, 0, 0, NULL},
               {"sigtimedwait", limited_signal_waiter, 0, 0, NULL},
               {"compute", computer, 0, 0, NULL},
               {"clock", clock_reader, 0, 0, NULL}};
enum { kWorkers = sizeof workers / sizeof workers[0] };

static void *work(void *argument) {
  struct Worker *self = argument;
  pthread_setname_np(pthread_self(), self->name);
  self->tid = syscall(SYS_gettid);
  local = self->tid * 3;
  pthread_barrier_wait(&ready);
  self->result = self->run();
  char name[16] = {0};
  pthread_getname_np(pthread_self(), name, sizeof name);
  if (strcmp(name, self->name) != 0) self->result = "lost its name";
  if (syscall(SYS_gettid) != self->tid || local != self->tid * 3) self->result = "lost its id";
  return NULL;
}

static void *rest(void *to_join) {
  if (to_join != NULL) pthread_join(*(pthread_t *)to_join, NULL);
  const struct timespec moment = {0, 300000000};
  nanosleep(&moment, NULL);   /* most are in their calls by now; wherever one is, it must work */

  checkpoint();

  if (write(written_later[1], "later", 5) != 5) perror("write");
  const unsigned long nine = 9;
  if (write(event, &nine, sizeof nine) != 8) perror("write");
  pthread_mutex_lock(&mutex);
  condition_met = 1;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  sem_post(&posted);
  pthread_mutex_unlock(&held);
  printf("unlock: %s\n", strerror(pthread_mutex_unlock(&inherited)));
  for (int i = 0; i < kWorkers; i++)
    if (strcmp(workers[i].name, "sigwait") == 0) pthread_kill(workers[i].thread, SIGUSR1);
  for (int i = 0; i < kWorkers; i++) {
    pthread_join(workers[i].thread, NULL);
    printf("%s: %s\n", workers[i].name, workers[i].result);
  }
  fflush(stdout);
  exit(7);
}

static void *lock_and_rest(void *to_join) {
  pthread_mutex_lock(&held);
  pthread_mutex_lock(&inherited);
  for (int i = 0; i < kWorkers; i++) pthread_create(&workers[i].thread, NULL, work, &workers[i]);
  pthread_barrier_wait(&ready);
  return rest(to_join);
}

int main(int argc, char **argv) {
  static pthread_t main_thread, other;
  main_thread = pthread_self();
  const int main_ends = argc > 1 && strcmp(argv[1], "main-ends") == 0;
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigaddset(&blocked, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&held, &attributes);
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&inherited, &attributes);
  sem_init(&posted, 0, 0);
  event = eventfd(0, 0);
  if (pipe(never_written) != 0 || pipe(written_later) != 0) return 1;
  pthread_barrier_init(&ready, NULL, kWorkers + 1);
  if (!main_ends) lock_and_rest(NULL);
  pthread_create(&other, NULL, lock_and_rest, &main_thread);
  pthread_exit(NULL);
}
