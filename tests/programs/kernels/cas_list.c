// SPDX-License-Identifier: Apache-2.0
// Lock-free structures on inlined compare-and-swap. First all threads insert their keys into one
// sorted list; then they carry nodes between two stacks (index and tag in one word against ABA).
// Afterwards the list must hold every key once and in order, and the stacks every node once.
//
//   cas_list [threads] [keys a thread] [carries a thread] [work]
#include <stdatomic.h>

#include "selfcheck.h"

enum { kMostThreads = 16, kMostKeys = 4096, kCarried = 64 };

struct node {
  uint64_t key;
  _Atomic(struct node*) next;
};

struct arena {  // nodes of one thread start on a page of their own
  _Alignas(kPageSize) struct node nodes[kMostKeys];
};

struct stack {  // low half: index + 1 of the top node, 0 when empty; high half: a tag
  _Alignas(kPageSize) _Atomic uint64_t top;
};

static struct arena g_arenas[kMostThreads];
static struct node g_head;
static struct stack g_stacks[2];
static _Alignas(kPageSize) _Atomic uint32_t g_below[kCarried];
static _Alignas(kPageSize) uint32_t g_visits[kCarried];  // written by whoever holds the node
static long g_threads, g_keys, g_carries, g_work;
static pthread_barrier_t g_inserted;

static void insert(struct node* fresh) {
  for (;;) {
    struct node* before = &g_head;
    struct node* after = atomic_load(&before->next);
    while (after && after->key < fresh->key) {
      before = after;
      after = atomic_load(&before->next);
    }
    atomic_store_explicit(&fresh->next, after, memory_order_relaxed);
    if (atomic_compare_exchange_strong(&before->next, &after, fresh)) return;
  }
}

static void push(struct stack* s, uint32_t index) {
  uint64_t old = atomic_load(&s->top), fresh;
  do {
    atomic_store(&g_below[index], (uint32_t)old);
    fresh = (((old >> 32) + 1) << 32) | (index + 1);
  } while (!atomic_compare_exchange_weak(&s->top, &old, fresh));
}

// The index of the node taken, or -1 when the stack was empty.
static int64_t pop(struct stack* s) {
  uint64_t old = atomic_load(&s->top), fresh;
  do {
    if ((uint32_t)old == 0) return -1;
    uint32_t below = atomic_load(&g_below[(uint32_t)old - 1]);
    fresh = (((old >> 32) + 1) << 32) | below;
  } while (!atomic_compare_exchange_weak(&s->top, &old, fresh));
  return (int64_t)(uint32_t)old - 1;
}

static void* run(void* argument) {
  long me = (long)argument;
  uint64_t noise = (uint64_t)me;
  for (long k = 0; k < g_keys; k++) {
    struct node* fresh = &g_arenas[me].nodes[k];
    fresh->key = mix64((uint64_t)(me * g_keys + k));
    noise = compute(noise, g_work);
    insert(fresh);
  }
  int result = pthread_barrier_wait(&g_inserted);
  CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
  long carried = 0;
  while (carried < g_carries) {
    int from = (int)(noise & 1);
    noise = compute(noise, g_work);
    int64_t index = pop(&g_stacks[from]);
    if (index < 0) continue;
    g_visits[index]++;  // plain: the CAS above ordered it after the previous holder's
    push(&g_stacks[!from], (uint32_t)index);
    carried++;
  }
  return NULL;
}

static void check_list(void) {
  long count = 0;
  uint64_t previous = 0, sum = 0, expected = 0;
  for (struct node* n = atomic_load(&g_head.next); n; n = atomic_load(&n->next)) {
    CHECK(count == 0 || n->key > previous);
    previous = n->key;
    sum += n->key;
    count++;
  }
  for (long i = 0; i < g_threads * g_keys; i++) expected += mix64((uint64_t)i);
  CHECK(count == g_threads * g_keys);
  CHECK(sum == expected);
  printf("list %ld keys in order, sum %016llx\n", count, (unsigned long long)sum);
}

static void check_stacks(void) {
  int seen[kCarried] = {0};
  long visits = 0;
  for (int s = 0; s < 2; s++)
    for (int64_t index; (index = pop(&g_stacks[s])) >= 0;) seen[index]++;
  for (int i = 0; i < kCarried; i++) {
    CHECK(seen[i] == 1);
    visits += g_visits[i];
  }
  CHECK(visits == g_threads * g_carries);
  printf("stacks hold %d nodes once, %ld visits\n", kCarried, visits);
}

int main(int argc, char** argv) {
  g_threads = number_argument(argc, argv, 1, 4);
  g_keys = number_argument(argc, argv, 2, 300);
  g_carries = number_argument(argc, argv, 3, 300);
  g_work = number_argument(argc, argv, 4, 300000);
  CHECK(g_threads >= 1 && g_threads <= kMostThreads && g_keys <= kMostKeys);
  for (uint32_t i = 0; i < kCarried; i++) push(&g_stacks[i & 1], i);
  CHECK_ZERO(pthread_barrier_init(&g_inserted, NULL, (unsigned)g_threads));
  pthread_t ids[kMostThreads];
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_create(&ids[t], NULL, run, (void*)t));
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_join(ids[t], NULL));
  check_list();
  check_stacks();
  puts("ok");
  return 0;
}
