// SPDX-License-Identifier: Apache-2.0
// The address space in motion: threads map, unmap, split, grow and move areas, private and shared, anonymous and of files,
// all the time and at once. What an area holds is checked after each step.
//
//   stress_mmap [steps] [work]
#include <fcntl.h>
#include <sys/mman.h>

#include "../selfcheck.h"

enum { kThreads = 4, kAreas = 8, kMostPages = 24 };
enum { kPlain = 0, kMended = 9 };   // byte 8 of an area: how it came to be; only a plain one is resized and mended

struct area {
  unsigned char* at;
  size_t pages;
  unsigned char first;   // page p holds (unsigned char)(first + p) at both its ends
};

static long g_steps, g_work;
static uint64_t g_chain[kThreads];
static int g_file;

static void mark(struct area* a, size_t from) {
  for (size_t p = from; p < a->pages; p++)
    a->at[p * kPageSize] = a->at[p * kPageSize + kPageSize - 1] = (unsigned char)(a->first + p);
}

static void verify(const struct area* a) {
  for (size_t p = 0; p < a->pages; p++)
    CHECK(a->at[p * kPageSize] == (unsigned char)(a->first + p) && a->at[p * kPageSize + kPageSize - 1] == a->at[p * kPageSize]);
}

static void map(struct area* a, uint64_t random) {
  const int shared = random >> 60 & 1, of_file = !shared && (random >> 61 & 1);
  a->pages = 1 + (random >> 8) % kMostPages;
  a->first = (unsigned char)random;
  a->at = mmap(NULL, a->pages * kPageSize, PROT_READ | PROT_WRITE, (shared ? MAP_SHARED : MAP_PRIVATE) | (of_file ? 0 : MAP_ANONYMOUS),
               of_file ? g_file : -1, 0);
  CHECK(a->at != MAP_FAILED);
  for (size_t p = 0; p < a->pages; p++) CHECK(a->at[p * kPageSize + 7] == (of_file ? (unsigned char)(p * 3) : 0));
  mark(a, 0);
}

static void resize(struct area* a, uint64_t random) {
  const size_t before = a->pages, pages = 1 + (random >> 16) % kMostPages;
  // An area of the file would show the file beyond what it had.
  a->at = mremap(a->at, before * kPageSize, pages * kPageSize, MREMAP_MAYMOVE);
  CHECK(a->at != MAP_FAILED);
  a->pages = pages;
  if (pages > before) mark(a, before);
}

// A hole in the middle, filled by a new mapping.
static void replace_middle(struct area* a) {
  const size_t middle = a->pages / 2;
  unsigned char* at = a->at + middle * kPageSize;
  CHECK_ZERO(munmap(at, kPageSize));
  CHECK(mmap(at, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
  CHECK(at[0] == 0 && at[kPageSize - 1] == 0);
  at[0] = at[kPageSize - 1] = (unsigned char)(a->first + middle);
  a->at[8] = kMended;   // two mappings may be left, which mremap does not take together
}

static void protect_some(struct area* a) {
  CHECK_ZERO(mprotect(a->at, kPageSize, PROT_NONE));
  CHECK_ZERO(mprotect(a->at, kPageSize, PROT_READ));
  verify(a);
  CHECK_ZERO(mprotect(a->at, kPageSize, PROT_READ | PROT_WRITE));
}

static void* run(void* argument) {
  const uintptr_t me = (uintptr_t)argument;
  struct area areas[kAreas] = {{0}};
  uint64_t random = me + 1;
  for (long step = 0; step < g_steps; step++) {
    random = mix64(random);
    struct area* a = &areas[random % kAreas];
    if (!a->at) {
      map(a, random);
      a->at[8] = (unsigned char)(random >> 60 & 3);   // kPlain: private and anonymous
    } else {
      verify(a);
      const int plain = a->at[8] == kPlain;
      switch (random >> 32 & 3) {
        case 0: CHECK_ZERO(munmap(a->at, a->pages * kPageSize)); a->at = NULL; break;
        case 1: protect_some(a); break;
        case 2: if (plain) resize(a, random); break;
        default: if (plain && a->pages > 2) replace_middle(a); break;
      }
      if (a->at) verify(a);
    }
    g_chain[me] = compute(g_chain[me] + random, g_work);
  }
  for (int i = 0; i < kAreas; i++)
    if (areas[i].at) {
      verify(&areas[i]);
      CHECK_ZERO(munmap(areas[i].at, areas[i].pages * kPageSize));
    }
  return NULL;
}

static void make_file(void) {
  g_file = open("stress_mmap.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(g_file >= 0 && unlink("stress_mmap.tmp") == 0);
  unsigned char page[kPageSize];
  for (int p = 0; p < kMostPages; p++) {
    memset(page, p * 3, sizeof page);
    CHECK(write(g_file, page, sizeof page) == kPageSize);
  }
}

int main(int argc, char** argv) {
  g_steps = number_argument(argc, argv, 1, 300);
  g_work = number_argument(argc, argv, 2, 80000);
  make_file();
  start_and_join(kThreads, run);
  for (int i = 0; i < kThreads; i++) printf("thread %d: %016lx\n", i, g_chain[i]);
  return 0;
}
