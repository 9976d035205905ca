// SPDX-License-Identifier: Apache-2.0
// Mutexes beyond the ordinary: priority inheriting, robust (owners that end while they hold it),
// process-shared in a shared mapping, recursive, error-checking; timed locks, a condition variable
// over a PI mutex, read-write locks and semaphores. Unprotected counters show any lapse.
//
//   special_mutexes [threads] [rounds] [work]
#include <semaphore.h>
#include <sys/mman.h>
#include <time.h>

#include "selfcheck.h"

enum { kMostThreads = 16, kKinds = 5 };

static const char* const kNames[kKinds] = {"pi", "robust", "shared", "shared robust pi", "recursive"};

struct guarded {
  _Alignas(kPageSize) pthread_mutex_t lock;
  long counter;
  uint64_t chain;
};

static struct guarded* g_kinds;  // in a MAP_SHARED mapping
static long g_threads, g_rounds, g_work;
static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long g_pair[2];
static sem_t g_slots;

static void init_kind(int kind) {
  pthread_mutexattr_t a;
  CHECK_ZERO(pthread_mutexattr_init(&a));
  if (kind == 0 || kind == 3) CHECK_ZERO(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT));
  if (kind == 1 || kind == 3) CHECK_ZERO(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST));
  if (kind == 2 || kind == 3) CHECK_ZERO(pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED));
  if (kind == 4) CHECK_ZERO(pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE));
  CHECK_ZERO(pthread_mutex_init(&g_kinds[kind].lock, &a));
  CHECK_ZERO(pthread_mutexattr_destroy(&a));
}

static void count_under(struct guarded* g, int recursive) {
  CHECK_ZERO(pthread_mutex_lock(&g->lock));
  if (recursive) CHECK_ZERO(pthread_mutex_lock(&g->lock));
  long before = g->counter;
  g->chain = mix64(g->chain);
  g->counter = before + 1;
  if (recursive) CHECK_ZERO(pthread_mutex_unlock(&g->lock));
  CHECK_ZERO(pthread_mutex_unlock(&g->lock));
}

static void read_or_write_pair(long round) {
  if (round % 4 == 0) {
    CHECK_ZERO(pthread_rwlock_wrlock(&g_rwlock));
    g_pair[0]++;
    g_pair[1]++;
  } else {
    CHECK_ZERO(pthread_rwlock_rdlock(&g_rwlock));
    CHECK(g_pair[0] == g_pair[1]);
  }
  CHECK_ZERO(pthread_rwlock_unlock(&g_rwlock));
}

static void* run(void* argument) {
  uint64_t noise = (uint64_t)argument;
  for (long round = 0; round < g_rounds; round++) {
    for (int kind = 0; kind < kKinds; kind++) {
      count_under(&g_kinds[kind], kind == 4);
      noise = compute(noise, g_work);
    }
    read_or_write_pair(round);
    CHECK_ZERO(sem_wait(&g_slots));
    CHECK_ZERO(sem_post(&g_slots));
  }
  return (void*)noise;
}

static void check_counting(void) {
  pthread_t ids[kMostThreads];
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_create(&ids[t], NULL, run, (void*)t));
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_join(ids[t], NULL));
  for (int kind = 0; kind < kKinds; kind++) {
    CHECK(g_kinds[kind].counter == g_threads * g_rounds);
    CHECK(g_kinds[kind].chain == compute(0, g_threads * g_rounds));
    printf("%s mutex counted %ld\n", kNames[kind], g_kinds[kind].counter);
  }
  CHECK(g_pair[0] == g_pair[1] && g_pair[0] == g_threads * ((g_rounds + 3) / 4));
}

static void* end_as_owner(void* kind) {
  struct guarded* g = kind;
  int result = pthread_mutex_lock(&g->lock);
  if (result == EOWNERDEAD) result = pthread_mutex_consistent(&g->lock);
  CHECK_ZERO(result);
  g->counter++;
  return NULL;  // without unlocking
}

// Threads end one after another while they hold the lock; each next one inherits it.
static void check_dead_owners(struct guarded* g) {
  long before = g->counter;
  for (int i = 0; i < 8; i++) {
    pthread_t id;
    CHECK_ZERO(pthread_create(&id, NULL, end_as_owner, g));
    CHECK_ZERO(pthread_join(id, NULL));
  }
  CHECK(g->counter == before + 8);
  CHECK(pthread_mutex_lock(&g->lock) == EOWNERDEAD);
  CHECK_ZERO(pthread_mutex_consistent(&g->lock));
  CHECK_ZERO(pthread_mutex_unlock(&g->lock));
  CHECK_ZERO(pthread_mutex_lock(&g->lock));
  CHECK_ZERO(pthread_mutex_unlock(&g->lock));
}

static void* expect_busy(void* kind) {
  struct guarded* g = kind;
  CHECK(pthread_mutex_trylock(&g->lock) == EBUSY);
  struct timespec until;
  CHECK_ZERO(clock_gettime(CLOCK_REALTIME, &until));
  until.tv_nsec += 20000000;
  if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
  CHECK(pthread_mutex_timedlock(&g->lock, &until) == ETIMEDOUT);
  return NULL;
}

static void check_busy(struct guarded* g) {
  CHECK_ZERO(pthread_mutex_lock(&g->lock));
  pthread_t ids[2];
  for (int i = 0; i < 2; i++) CHECK_ZERO(pthread_create(&ids[i], NULL, expect_busy, g));
  for (int i = 0; i < 2; i++) CHECK_ZERO(pthread_join(ids[i], NULL));
  CHECK_ZERO(pthread_mutex_unlock(&g->lock));
}

// Threads take turns by a condition variable whose mutex inherits priority.
struct turns {
  pthread_cond_t changed;
  long next;
};
static struct turns g_turns = {.changed = PTHREAD_COND_INITIALIZER};

static void* take_turns(void* argument) {
  long me = (long)argument;
  for (long i = 0; i < 25; i++) {
    CHECK_ZERO(pthread_mutex_lock(&g_kinds[0].lock));
    while (g_turns.next % g_threads != me)
      CHECK_ZERO(pthread_cond_wait(&g_turns.changed, &g_kinds[0].lock));
    g_turns.next++;
    CHECK_ZERO(pthread_cond_broadcast(&g_turns.changed));
    CHECK_ZERO(pthread_mutex_unlock(&g_kinds[0].lock));
  }
  return NULL;
}

static void check_turns(void) {
  pthread_t ids[kMostThreads];
  for (long t = 0; t < g_threads; t++)
    CHECK_ZERO(pthread_create(&ids[t], NULL, take_turns, (void*)t));
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_join(ids[t], NULL));
  CHECK(g_turns.next == 25 * g_threads);
}

int main(int argc, char** argv) {
  g_threads = number_argument(argc, argv, 1, 4);
  g_rounds = number_argument(argc, argv, 2, 100);
  g_work = number_argument(argc, argv, 3, 360000);
  CHECK(g_threads >= 1 && g_threads <= kMostThreads);
  g_kinds = mmap(NULL, sizeof *g_kinds * kKinds, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(g_kinds != MAP_FAILED);
  for (int kind = 0; kind < kKinds; kind++) init_kind(kind);
  CHECK_ZERO(sem_init(&g_slots, 0, 2));
  check_counting();
  check_dead_owners(&g_kinds[1]);
  check_dead_owners(&g_kinds[3]);
  check_busy(&g_kinds[0]);
  check_busy(&g_kinds[2]);
  check_turns();
  puts("owners that ended, busy locks and turns ok");
  return 0;
}
