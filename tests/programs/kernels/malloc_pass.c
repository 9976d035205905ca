// SPDX-License-Identifier: Apache-2.0
// malloc here, free there: each thread allocates blocks of many sizes (bins, top chunk, mmap),
// fills them and hands them round a ring; the next thread checks, reallocs some, and frees them,
// so that every arena is entered from other nodes.
//
//   malloc_pass [threads] [blocks a thread] [work]
#include "selfcheck.h"

enum { kMostThreads = 16, kDepth = 8 };

struct block {
  unsigned char* data;
  size_t size;
  uint64_t seed;
};

struct mailbox {
  _Alignas(kPageSize) pthread_mutex_t lock;
  pthread_cond_t changed;
  struct block ring[kDepth];
  long put, taken;
};

static struct mailbox g_mailboxes[kMostThreads];
static long g_threads, g_blocks, g_work;

static void put(struct mailbox* m, struct block b) {
  CHECK_ZERO(pthread_mutex_lock(&m->lock));
  while (m->put - m->taken == kDepth) CHECK_ZERO(pthread_cond_wait(&m->changed, &m->lock));
  m->ring[m->put++ % kDepth] = b;
  CHECK_ZERO(pthread_cond_broadcast(&m->changed));
  CHECK_ZERO(pthread_mutex_unlock(&m->lock));
}

static struct block take(struct mailbox* m) {
  CHECK_ZERO(pthread_mutex_lock(&m->lock));
  while (m->put == m->taken) CHECK_ZERO(pthread_cond_wait(&m->changed, &m->lock));
  struct block b = m->ring[m->taken++ % kDepth];
  CHECK_ZERO(pthread_cond_broadcast(&m->changed));
  CHECK_ZERO(pthread_mutex_unlock(&m->lock));
  return b;
}

static size_t size_for(uint64_t seed) {
  switch (seed % 16) {
    case 0: return 150000 + (seed >> 8) % 150000;  // above the mmap threshold at the start
    case 1: case 2: return 4096 + (seed >> 8) % 30000;
    default: return 16 + (seed >> 8) % 2000;
  }
}

static void check_pattern(const struct block* b) {
  for (size_t i = 0; i < b->size; i++)
    CHECK(b->data[i] == (unsigned char)(b->seed >> (8 * (i & 7))));
}

static struct block make_block(uint64_t seed) {
  struct block b = {.size = size_for(seed), .seed = compute(seed, g_work)};
  CHECK((b.data = malloc(b.size)) != NULL);
  for (size_t i = 0; i < b.size; i++) b.data[i] = (unsigned char)(b.seed >> (8 * (i & 7)));
  return b;
}

// Checks a block and frees it; every fifth is grown first, which may move it. Returns its size.
static size_t consume(struct block b) {
  check_pattern(&b);
  size_t size = b.size;
  if (b.seed % 5 == 0) {
    CHECK((b.data = realloc(b.data, size * 2)) != NULL);
    check_pattern(&b);
    memset(b.data + size, 1, size);
  }
  free(b.data);
  return size;
}

static void* run(void* argument) {
  long me = (long)argument;
  struct mailbox* to = &g_mailboxes[(me + 1) % g_threads];
  struct mailbox* from = &g_mailboxes[me];
  size_t bytes = 0;
  for (long i = 0; i < g_blocks; i++) {
    put(to, make_block(mix64((uint64_t)(me * g_blocks + i))));
    if (i >= kDepth / 2) bytes += consume(take(from));
  }
  for (long i = 0; i < kDepth / 2 && i < g_blocks; i++) bytes += consume(take(from));
  return (void*)bytes;
}

int main(int argc, char** argv) {
  g_threads = number_argument(argc, argv, 1, 4);
  g_blocks = number_argument(argc, argv, 2, 400);
  g_work = number_argument(argc, argv, 3, 450000);
  CHECK(g_threads >= 1 && g_threads <= kMostThreads);
  pthread_t ids[kMostThreads];
  size_t bytes = 0, expected = 0;
  for (long t = 0; t < g_threads; t++) {
    CHECK_ZERO(pthread_mutex_init(&g_mailboxes[t].lock, NULL));
    CHECK_ZERO(pthread_cond_init(&g_mailboxes[t].changed, NULL));
  }
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_create(&ids[t], NULL, run, (void*)t));
  for (long t = 0; t < g_threads; t++) {
    void* part = NULL;
    CHECK_ZERO(pthread_join(ids[t], &part));
    bytes += (size_t)part;
  }
  for (long i = 0; i < g_threads * g_blocks; i++) expected += size_for(mix64((uint64_t)i));
  CHECK(bytes == expected);
  printf("passed %ld blocks of %zu bytes round %ld threads ok\n", g_threads * g_blocks, bytes,
         g_threads);
  return 0;
}
