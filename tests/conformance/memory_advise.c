// SPDX-License-Identifier: Apache-2.0
// madvise and mincore, and the locks.
#include <sys/resource.h>

#include "memory_support.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

CASE(advise_errors) {
  char* at = map_pages(4);
  say("unaligned: %s", outcome(madvise(at + 1, kPage, MADV_DONTNEED)));
  say("unknown: %s", outcome(madvise(at, kPage, 12345)));
  say("unknown, length 0: %s", outcome(madvise(at, 0, 12345)));
  say("length 0: %s", outcome(madvise(at, 0, MADV_DONTNEED)));
  say("wraps: %s", outcome(madvise(at, ~(size_t)0 - kPage, MADV_NORMAL)));
  NEED(munmap(at + kPage, kPage) == 0);
  memset(at + 2 * kPage, 1, kPage);
  say("hole: %s", outcome(madvise(at, 4 * kPage, MADV_DONTNEED)));
  say("behind the hole it took effect: %d", at[2 * kPage]);
  const int harmless[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTDUMP, MADV_DODUMP,
                          MADV_COLD, MADV_PAGEOUT, MADV_FREE};
  for (unsigned i = 0; i < sizeof harmless / sizeof *harmless; i++)
    say("advice %d: %s, over a hole %s, unaligned %s", harmless[i], outcome(madvise(at, kPage, harmless[i])),
        outcome(madvise(at, 3 * kPage, harmless[i])), outcome(madvise(at + 5, kPage, harmless[i])));
}

CASE(advise_dontneed_anonymous) {
  char* at = map_pages(6);
  fill_elsewhere(at, 6 * kPage, 'n');
  NEED(madvise(at + kPage, 3 * kPage, MADV_DONTNEED) == 0);
  say("%c %d %d %c", at[kPage - 1], at[kPage], at[4 * kPage - 1], at[4 * kPage]);
  say("same elsewhere: %d", sum_of(at, 6 * kPage) == sum_elsewhere(at, 6 * kPage));
}

CASE(advise_dontneed_read_only) {
  char* at = map_pages(2);
  fill_elsewhere(at, 2 * kPage, 'n');
  NEED(mprotect(at, 2 * kPage, PROT_READ) == 0 && madvise(at, kPage, MADV_DONTNEED) == 0);
  say("%d %c, write %s", at[0], at[kPage], try_write(at, 1));
  NEED(mprotect(at, 2 * kPage, PROT_NONE) == 0 && madvise(at, 2 * kPage, MADV_DONTNEED) == 0);
  NEED(mprotect(at, 2 * kPage, PROT_READ) == 0);
  say("%d", at[kPage]);
}

CASE(advise_dontneed_files) {
  const int fd = make_file(4 * kPage);
  char* copy = mmap(NULL, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char* shared = mmap(NULL, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  NEED(copy != MAP_FAILED && shared != MAP_FAILED);
  fill_elsewhere(copy, 2 * kPage, 'X');
  say("private: %s, %c %c", outcome(madvise(copy, kPage, MADV_DONTNEED)), copy[0], copy[kPage]);
  shared[0] = 'S';
  say("shared: %s, %c", outcome(madvise(shared, kPage, MADV_DONTNEED)), shared[0]);
  char* reader = mmap(NULL, 4 * kPage, PROT_READ, MAP_PRIVATE, fd, 0);
  NEED(reader != MAP_FAILED);
  say("read-only: %s, %c", outcome(madvise(reader, kPage, MADV_DONTNEED)), reader[kPage]);
}

CASE(advise_remove) {
  char* at = map_pages(2);
  say("private: %s", outcome(madvise(at, kPage, MADV_REMOVE)));
  const int fd = memfd_create("case", 0);
  NEED(fd >= 0 && ftruncate(fd, 2 * kPage) == 0);
  char* shared = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  memset(shared, 'x', 2 * kPage);
  say("memfd: %s %d %c", outcome(madvise(shared, kPage, MADV_REMOVE)), shared[0], shared[kPage]);
}

CASE(advise_free) {
  char* at = map_pages(4);
  fill_elsewhere(at, 4 * kPage, 'z');
  say("free: %s", outcome(madvise(at, 2 * kPage, MADV_FREE)));
  say("zero or kept: %d", at[0] == 0 || at[0] == 'z');
  at[kPage] = 'w';
  say("%c %c", at[kPage], at[2 * kPage]);
  const int fd = make_file(kPage);
  char* file = mmap(NULL, kPage, PROT_READ, MAP_SHARED, fd, 0);
  say("of a file: %s", outcome(madvise(file, kPage, MADV_FREE)));
}

static int resident(char* at, int pages) {
  unsigned char present[64];
  NEED(mincore(at, (size_t)pages * kPage, present) == 0);
  int count = 0;
  for (int i = 0; i < pages; i++) count += present[i] & 1;
  return count;
}

CASE(advise_populate) {
  char* at = map_pages(16);
  say("write: %s, resident %d", outcome(madvise(at, 4 * kPage, MADV_POPULATE_WRITE)), resident(at, 16));
  say("read: %s, %d", outcome(madvise(at + 8 * kPage, 4 * kPage, MADV_POPULATE_READ)), at[8 * kPage]);
  NEED(mprotect(at, kPage, PROT_READ) == 0 && mprotect(at + kPage, kPage, PROT_NONE) == 0);
  say("write read-only: %s", outcome(madvise(at, kPage, MADV_POPULATE_WRITE)));
  say("read inaccessible: %s", outcome(madvise(at + kPage, kPage, MADV_POPULATE_READ)));
  NEED(munmap(at + 12 * kPage, kPage) == 0);
  say("over a hole: %s", outcome(madvise(at + 8 * kPage, 8 * kPage, MADV_POPULATE_WRITE)));
  const int fd = make_file(kPage);
  char* file = mmap(NULL, 2 * kPage, PROT_READ, MAP_PRIVATE, fd, 0);
  say("beyond a file: %s", outcome(madvise(file, 2 * kPage, MADV_POPULATE_READ)));
  fill_elsewhere(at + 4 * kPage, kPage, 'p');
  say("keeps content: %s %c", outcome(madvise(at + 4 * kPage, kPage, MADV_POPULATE_WRITE)), at[4 * kPage]);
}

CASE(advise_willneed_keeps) {
  char* at = map_pages(4);
  fill_elsewhere(at, 4 * kPage, 'w');
  say("%s %c", outcome(madvise(at, 4 * kPage, MADV_WILLNEED)), at[kPage]);
  say("%s %c", outcome(madvise(at, 4 * kPage, MADV_PAGEOUT)), at[kPage]);
  say("%s %c", outcome(madvise(at, 4 * kPage, MADV_COLD)), at[kPage]);
}

static const char* in_child(char* at) {
  const pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    catch_faults();
    if (sigsetjmp(g_memory_escape, 1) != 0) _exit(200);
    _exit(*(volatile char*)at);
  }
  int status;
  NEED(waitpid(child, &status, 0) == child);
  return !WIFEXITED(status) ? "died" : WEXITSTATUS(status) == 200 ? "not mapped" : WEXITSTATUS(status) == 'f' ? "content" : "zero";
}

CASE(advise_wipe_on_fork) {
  char* at = map_pages(3);
  fill_elsewhere(at, 3 * kPage, 'f');
  say("%s", outcome(madvise(at + kPage, kPage, MADV_WIPEONFORK)));
  say("child: %s %s %s; parent %c", in_child(at), in_child(at + kPage), in_child(at + 2 * kPage), at[kPage]);
  say("%s", outcome(madvise(at + kPage, kPage, MADV_KEEPONFORK)));
  say("child: %s", in_child(at + kPage));
  const int fd = make_file(kPage);
  char* file = mmap(NULL, kPage, PROT_READ, MAP_PRIVATE, fd, 0);
  say("of a file: %s", outcome(madvise(file, kPage, MADV_WIPEONFORK)));
}

CASE(advise_dont_fork) {
  char* at = map_pages(3);
  fill_elsewhere(at, 3 * kPage, 'f');
  say("%s", outcome(madvise(at + kPage, kPage, MADV_DONTFORK)));
  say("child: %s %s %s; parent %c", in_child(at), in_child(at + kPage), in_child(at + 2 * kPage), at[kPage]);
  say("%s", outcome(madvise(at + kPage, kPage, MADV_DOFORK)));
  say("child: %s", in_child(at + kPage));
}

// Single pages far from each other: neighbours of what is touched in order may be there before they are touched.
CASE(mincore_truth) {
  char* at = map_pages(64);
  say("fresh %d", resident(at, 64));
  at[3 * kPage] = 1;
  fill_elsewhere(at + 20 * kPage, kPage, 2);
  fill_elsewhere(at + 45 * kPage, kPage, 0);
  say("touched %d of first 16, %d of all", resident(at, 16), resident(at, 64));
  say("%d %d", resident(at + 20 * kPage, 1), resident(at + 19 * kPage, 1));
  NEED(madvise(at + 20 * kPage, kPage, MADV_DONTNEED) == 0);
  say("after dontneed %d", resident(at, 64));
  unsigned char present[4];
  say("unaligned: %s", outcome(mincore(at + 1, kPage, present)));
  NEED(munmap(at + 8 * kPage, kPage) == 0);
  say("hole: %s", outcome(mincore(at + 7 * kPage, 2 * kPage, present)));
  say("length 0: %s", outcome(mincore(at, 0, present)));
  say("bad vector: %s", outcome(mincore(at, kPage, (void*)8)));
  say("not user memory: %s", outcome(mincore((void*)0x700000000000, (size_t)1 << 60, present)));
  say("vector inside the range: %s %d", outcome(mincore(at, 4 * kPage, (void*)at)), at[3]);
}

CASE(mincore_of_inaccessible) {
  char* at = map_pages(4);
  fill_elsewhere(at, kPage, 2);
  NEED(mprotect(at, 4 * kPage, PROT_NONE) == 0);
  say("%d", resident(at, 4));
}

CASE(lock_calls) {
  char* at = map_pages(8);
  fill_elsewhere(at, 2 * kPage, 'l');
  say("mlock %s, %c", outcome(mlock(at, 4 * kPage)), at[0]);
  say("unaligned %s", outcome(mlock(at + 5, 10)));
  say("onfault %s, unknown flag %s", outcome(mlock2(at + 4 * kPage, kPage, MLOCK_ONFAULT)), outcome(mlock2(at, kPage, 64)));
  say("munlock %s %s", outcome(munlock(at, 8 * kPage)), outcome(munlock(at, 8 * kPage)));
  NEED(munmap(at + 6 * kPage, kPage) == 0);
  say("hole: %s, munlock %s", outcome(mlock(at + 5 * kPage, 3 * kPage)), outcome(munlock(at + 5 * kPage, 3 * kPage)));
  say("all: flags 0 %s, unknown %s, onfault alone %s", outcome(mlockall(0)), outcome(mlockall(64)), outcome(mlockall(4)));
  say("munlockall %s", outcome(munlockall()));
  say("locked dontneed: %s", outcome(mlock(at, kPage)) );
  say("dontneed of locked: %s, %c", outcome(madvise(at, kPage, MADV_DONTNEED)), at[0]);
}

CASE(lock_limit_unprivileged) {
  char* at = map_pages(64);
  struct rlimit limit = {16 * kPage, 16 * kPage};
  NEED(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
  const int uid = getuid() == 0 ? setuid(65534) : 0;
  NEED(uid == 0);
  say("below %s", outcome(mlock(at, 8 * kPage)));
  say("above %s", outcome(mlock(at, 64 * kPage)));
  say("again the same %s", outcome(mlock(at, 8 * kPage)));
  say("rest %s", outcome(mlock(at + 8 * kPage, 8 * kPage)));
  say("one more %s", outcome(mlock(at + 16 * kPage, kPage)));
  say("after unlock %s %s", outcome(munlock(at, 8 * kPage)), outcome(mlock(at + 16 * kPage, kPage)));
  say("mapped locked %s", map_outcome(mmap(NULL, 32 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0)));
  limit.rlim_cur = 0;
  NEED(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
  say("none allowed %s, all %s", outcome(mlock(at + 40 * kPage, kPage)), outcome(mlockall(MCL_CURRENT)));
}

CONFORMANCE_MAIN
