// SPDX-License-Identifier: Apache-2.0
// The futex call itself: pairs that pass a token by WAIT and WAKE, a crowd that is requeued and woken by bit set, waits that
// time out, and a lock of three states under contention. Every wake-up is checked against what the word says.
//
//   stress_futex [rounds] [work]
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "../selfcheck.h"

enum { kPairs = 2, kCrowd = 4 };

static long futex(uint32_t* word, int operation, uint32_t value, const void* limit, uint32_t* other, uint32_t last) {
  return syscall(SYS_futex, word, operation, value, limit, other, last);
}

struct pair {
  _Alignas(kPageSize) uint32_t turn;
  uint64_t chain;
};

static struct pair g_pairs[kPairs];
static _Alignas(kPageSize) uint32_t g_gate;
static _Alignas(kPageSize) uint32_t g_hall;
static _Alignas(kPageSize) uint32_t g_lock;
static long g_rounds, g_work, g_guarded, g_arrived, g_through;

static void lock(void) {
  uint32_t seen = 0;
  if (__atomic_compare_exchange_n(&g_lock, &seen, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(&g_lock, 2, __ATOMIC_ACQUIRE) != 0)
    CHECK(futex(&g_lock, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0) == 0 || errno == EAGAIN || errno == EINTR);
}

static void unlock(void) {
  if (__atomic_exchange_n(&g_lock, 0, __ATOMIC_RELEASE) == 2) CHECK(futex(&g_lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0);
}

static void* pass_token(void* argument) {
  const uintptr_t me = (uintptr_t)argument;
  struct pair* pair = &g_pairs[me / 2];
  const uint32_t side = me % 2;
  for (long i = 0; i < g_rounds; i++) {
    uint32_t seen;
    while ((seen = __atomic_load_n(&pair->turn, __ATOMIC_ACQUIRE)) % 2 != side)
      CHECK(futex(&pair->turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0) == 0 || errno == EAGAIN || errno == EINTR);
    CHECK(seen == (uint32_t)i * 2 + side);
    pair->chain = compute(pair->chain + side, g_work);
    __atomic_store_n(&pair->turn, seen + 1, __ATOMIC_RELEASE);
    CHECK(futex(&pair->turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) <= 1);
    lock();
    g_guarded++;
    unlock();
  }
  return NULL;
}

// Waits at the gate, is moved to the hall, and leaves it when its bit is called.
static void* crowd_member(void* argument) {
  const uint32_t bit = 1u << (uintptr_t)argument;
  __atomic_fetch_add(&g_arrived, 1, __ATOMIC_RELEASE);
  while (__atomic_load_n(&g_gate, __ATOMIC_ACQUIRE) == 0)
    CHECK(futex(&g_gate, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, bit) == 0 || errno == EAGAIN || errno == EINTR);
  for (uint32_t seen; ((seen = __atomic_load_n(&g_hall, __ATOMIC_ACQUIRE)) & bit) == 0;)
    CHECK(futex(&g_hall, FUTEX_WAIT_BITSET_PRIVATE, seen, NULL, NULL, bit) == 0 || errno == EAGAIN || errno == EINTR);
  __atomic_fetch_add(&g_through, (long)bit, __ATOMIC_RELAXED);
  return NULL;
}

static void crowd(void) {
  pthread_t members[kCrowd];
  g_gate = g_hall = 0;
  g_arrived = g_through = 0;
  for (uintptr_t i = 0; i < kCrowd; i++) CHECK_ZERO(pthread_create(&members[i], NULL, crowd_member, (void*)i));
  while (__atomic_load_n(&g_arrived, __ATOMIC_ACQUIRE) != kCrowd) sched_yield();
  __atomic_store_n(&g_gate, 1, __ATOMIC_RELEASE);
  // The fourth argument is a count here.
  const long moved = futex(&g_gate, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)(uintptr_t)kCrowd, &g_hall, 1);
  CHECK(moved >= 0 && moved <= kCrowd);
  for (uint32_t i = 0; i < kCrowd; i++) {
    __atomic_fetch_or(&g_hall, 1u << i, __ATOMIC_RELEASE);
    CHECK(futex(&g_hall, FUTEX_WAKE_BITSET_PRIVATE, INT32_MAX, NULL, NULL, FUTEX_BITSET_MATCH_ANY) >= 0);
  }
  for (int i = 0; i < kCrowd; i++) CHECK_ZERO(pthread_join(members[i], NULL));
  CHECK(g_through == (1 << kCrowd) - 1);
}

static void* time_outs(void* argument) {
  (void)argument;
  uint32_t alone = 7;
  const struct timespec soon = {.tv_nsec = 2000000};
  for (int i = 0; i < 5; i++) CHECK(futex(&alone, FUTEX_WAIT_PRIVATE, 7, &soon, NULL, 0) == -1 && errno == ETIMEDOUT);
  CHECK(futex(&alone, FUTEX_WAIT_PRIVATE, 8, &soon, NULL, 0) == -1 && errno == EAGAIN);
  CHECK(futex((uint32_t*)((char*)&alone + 1), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == -1 && errno == EINVAL);
  return NULL;
}

int main(int argc, char** argv) {
  g_rounds = number_argument(argc, argv, 1, 1000);
  g_work = number_argument(argc, argv, 2, 40000);
  pthread_t threads[2 * kPairs + 1];
  for (uintptr_t i = 0; i < 2 * kPairs; i++) CHECK_ZERO(pthread_create(&threads[i], NULL, pass_token, (void*)i));
  CHECK_ZERO(pthread_create(&threads[2 * kPairs], NULL, time_outs, NULL));
  for (int i = 0; i < 10; i++) crowd();
  for (int i = 0; i <= 2 * kPairs; i++) CHECK_ZERO(pthread_join(threads[i], NULL));
  CHECK(g_guarded == 2 * kPairs * g_rounds);
  for (int i = 0; i < kPairs; i++) printf("pair %d: turn %u chain %016lx\n", i, g_pairs[i].turn, g_pairs[i].chain);
  return 0;
}
