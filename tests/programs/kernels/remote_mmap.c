// SPDX-License-Identifier: Apache-2.0
// The memory map, changed from remote threads: mmap, mremap (growing in place, moving, shrinking),
// mprotect, madvise, munmap, sbrk, and addresses used again. Each change is made by one thread and
// its effect looked at by another, which had the pages before.
//
//   remote_mmap [threads] [rounds] [work]    makes and removes remote_mmap.data in the current folder
#include <fcntl.h>
#include <sys/mman.h>

#include "fault_guard.h"

enum { kMostThreads = 8, kPages = 24, kBytes = kPages * kPageSize };

static const char* kPath = "remote_mmap.data";
static long g_threads, g_rounds, g_work;
static pthread_barrier_t g_turn;
static unsigned char* g_area[kMostThreads];
static uint64_t g_sums[kMostThreads];

static void meet(void) {
  int result = pthread_barrier_wait(&g_turn);
  CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
}

static unsigned char* map_anonymous(size_t bytes) {
  void* p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

static void fill(unsigned char* p, size_t from, size_t to, uint64_t seed) {
  for (size_t i = from; i < to; i++) p[i] = (unsigned char)(mix64(seed + i / 512) >> (i % 56));
}

static void expect_filled(const unsigned char* p, size_t from, size_t to, uint64_t seed) {
  for (size_t i = from; i < to; i++)
    CHECK(p[i] == (unsigned char)(mix64(seed + i / 512) >> (i % 56)));
}

static void expect_zero(const unsigned char* p, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) CHECK(p[i] == 0);
}

// My neighbour mapped and filled its area; I look, then change it; it looks again.
static void remap_round(long me, uint64_t seed) {
  long other = (me + 1) % g_threads;
  g_area[me] = map_anonymous(kBytes);
  fill(g_area[me], 0, kBytes, seed + (uint64_t)me);
  meet();
  expect_filled(g_area[other], 0, kBytes, seed + (uint64_t)other);
  unsigned char* grown = mremap(g_area[other], kBytes, 3 * kBytes, MREMAP_MAYMOVE);
  CHECK(grown != MAP_FAILED);
  g_area[other] = grown;
  meet();
  expect_filled(g_area[me], 0, kBytes, seed + (uint64_t)me);
  expect_zero(g_area[me], kBytes, 3 * kBytes);
  fill(g_area[me], kBytes, 3 * kBytes, seed + (uint64_t)me);
  meet();
  CHECK(mremap(g_area[other], 3 * kBytes, kBytes, 0) == g_area[other]);
  CHECK(FAULTS((void)*(volatile unsigned char*)(g_area[other] + kBytes)));
  meet();
  CHECK(FAULTS((void)*(volatile unsigned char*)(g_area[me] + 2 * kBytes)));
  expect_filled(g_area[me], 0, kBytes, seed + (uint64_t)me);
  meet();
}

// Zeros after MADV_DONTNEED, also where the pages were at another node.
static void dontneed_round(long me, uint64_t seed) {
  long other = (me + 1) % g_threads;
  CHECK_ZERO(madvise(g_area[other] + kPageSize, kBytes / 2, MADV_DONTNEED));
  meet();
  expect_filled(g_area[me], 0, kPageSize, seed + (uint64_t)me);
  expect_zero(g_area[me], kPageSize, kPageSize + kBytes / 2);
  expect_filled(g_area[me], kPageSize + kBytes / 2, kBytes, seed + (uint64_t)me);
  meet();
}

static void protect_round(long me, uint64_t seed) {
  long other = (me + 1) % g_threads;
  CHECK_ZERO(mprotect(g_area[other], kBytes / 2, PROT_READ));
  meet();
  CHECK(FAULTS(*(volatile unsigned char*)(g_area[me] + 7) = 1));
  CHECK(t_guard.address == g_area[me] + 7);
  expect_filled(g_area[me], 0, kPageSize, seed + (uint64_t)me);
  CHECK(!FAULTS(*(volatile unsigned char*)(g_area[me] + kBytes - 1) ^= 0));
  meet();
  CHECK_ZERO(mprotect(g_area[other], kBytes / 2, PROT_READ | PROT_WRITE));
  meet();
  fill(g_area[me], 0, kBytes, seed + 99);
  meet();
}

// The same address, unmapped by one thread and mapped again by another, must hold zeros.
static void reuse_round(long me, uint64_t seed) {
  long other = (me + 1) % g_threads;
  expect_filled(g_area[other], 0, kBytes, seed + 99);
  meet();
  CHECK_ZERO(munmap(g_area[other], kBytes));
  meet();
  CHECK(FAULTS((void)*(volatile unsigned char*)(g_area[me] + kPageSize)));
  void* again = mmap(g_area[me], kBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (again == MAP_FAILED) {  // a malloc or a stack of this process may have taken the place
    CHECK(errno == EEXIST);
    again = map_anonymous(kBytes);
    g_area[me] = again;
  }
  meet();
  expect_zero(g_area[other], 0, kBytes);
  meet();
  fill(g_area[me], 0, kBytes, seed + 5);
  void* over = mmap(g_area[me], kBytes / 2, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(over == g_area[me]);
  meet();
  expect_zero(g_area[other], 0, kBytes / 2);
  expect_filled(g_area[other], kBytes / 2, kBytes, seed + 5);
  meet();
  CHECK_ZERO(munmap(g_area[me], kBytes));
  meet();
}

// A private mapping of a file: own writes stay own, and DONTNEED brings the file back.
static void file_round(long me) {
  int file = open(kPath, O_RDONLY);
  CHECK(file >= 0);
  unsigned char* p = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, kPageSize);
  CHECK(p != MAP_FAILED);
  CHECK_ZERO(close(file));
  for (size_t i = 0; i < kBytes; i++) CHECK(p[i] == (unsigned char)((i + kPageSize) / 61));
  memset(p + kPageSize, (int)me + 1, kPageSize);
  g_area[me] = p;
  meet();
  unsigned char* theirs = g_area[(me + 1) % g_threads];
  CHECK(theirs[kPageSize] == (me + 1) % g_threads + 1);
  CHECK(theirs[0] == (unsigned char)(kPageSize / 61));
  meet();
  CHECK_ZERO(madvise(p, kBytes, MADV_DONTNEED));
  for (size_t i = 0; i < kBytes; i++) CHECK(p[i] == (unsigned char)((i + kPageSize) / 61));
  CHECK_ZERO(munmap(p, kBytes));
  meet();
}

// The break need not lie at a page's begin: the first page of the new part may have been used.
static void brk_round(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  CHECK_ZERO(pthread_mutex_lock(&lock));  // nobody mallocs meanwhile: that could move the break
  unsigned char* old = sbrk(kBytes);
  CHECK(old != (void*)-1);
  expect_zero(old + kPageSize, 0, kBytes - kPageSize);
  memset(old, 0xab, kBytes);
  CHECK(sbrk(-kBytes) == old + kBytes);
  CHECK(sbrk(kBytes) == old);
  expect_zero(old + kPageSize, 0, kBytes - kPageSize);
  CHECK(sbrk(-kBytes) == old + kBytes);
  CHECK_ZERO(pthread_mutex_unlock(&lock));
  meet();
}

static void* run(void* argument) {
  long me = (long)argument;
  uint64_t noise = (uint64_t)me;
  for (long round = 0; round < g_rounds; round++) {
    uint64_t seed = (uint64_t)round * 1000003;
    remap_round(me, seed);
    dontneed_round(me, seed);
    protect_round(me, seed);
    reuse_round(me, seed);
    file_round(me);
    brk_round();
    noise = compute(noise, g_work);
  }
  g_sums[me] = noise;
  return NULL;
}

static void write_file(void) {
  FILE* file = fopen(kPath, "w");
  CHECK(file);
  for (size_t i = 0; i < kBytes + kPageSize; i++) putc((int)(unsigned char)(i / 61), file);
  CHECK_ZERO(fclose(file));
}

int main(int argc, char** argv) {
  g_threads = number_argument(argc, argv, 1, 4);
  g_rounds = number_argument(argc, argv, 2, 14);
  g_work = number_argument(argc, argv, 3, 11000000);
  CHECK(g_threads >= 2 && g_threads <= kMostThreads);
  install_fault_guard();
  write_file();
  CHECK_ZERO(pthread_barrier_init(&g_turn, NULL, (unsigned)g_threads));
  pthread_t ids[kMostThreads];
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_create(&ids[t], NULL, run, (void*)t));
  for (long t = 0; t < g_threads; t++) CHECK_ZERO(pthread_join(ids[t], NULL));
  CHECK_ZERO(unlink(kPath));
  printf("%ld rounds of %d pages by %ld threads, %016llx ok\n", g_rounds, kPages, g_threads,
         (unsigned long long)hash_bytes(g_sums, sizeof g_sums[0] * (size_t)g_threads));
  return 0;
}
