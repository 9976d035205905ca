// SPDX-License-Identifier: Apache-2.0
// mmap and munmap: what is refused and how, fixed and hinted places, partial replacement.
#include <fcntl.h>
#include <sys/stat.h>

#include "memory_support.h"

static const char* try_map(size_t bytes, int prot, int flags, int fd, off_t offset) {
  return map_outcome(mmap(NULL, bytes, prot, flags, fd, offset));
}

CASE(map_argument_errors) {
  const int rw = PROT_READ | PROT_WRITE, anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  say("length 0: %s", try_map(0, rw, anonymous, -1, 0));
  say("no type: %s", try_map(kPage, rw, MAP_ANONYMOUS, -1, 0));
  say("bad offset: %s", try_map(kPage, PROT_READ, MAP_PRIVATE, make_file(kPage), 100));
  say("huge: %s", try_map((size_t)1 << 62, rw, anonymous, -1, 0));
  say("all of it: %s", try_map(~(size_t)0, rw, anonymous, -1, 0));
  say("rounds to nothing: %s", try_map(~(size_t)0 - 100, rw, anonymous, -1, 0));
  say("offset wraps: %s", map_outcome((void*)syscall(SYS_mmap, 0, kPage * 2, PROT_READ, MAP_PRIVATE, make_file(kPage), -(long)kPage)));
  say("validate with unknown flag: %s", try_map(kPage, rw, MAP_SHARED_VALIDATE | 0x40000000, make_file(kPage), 0));
  say("anonymous offset ignored: %s", try_map(kPage, rw, anonymous, 77, 0));
  say("anonymous with file number: %s", try_map(kPage, rw, anonymous, 0, 0));
}

CASE(map_descriptor_errors) {
  int ends[2];
  NEED(pipe(ends) == 0);
  say("bad fd: %s", try_map(kPage, PROT_READ, MAP_PRIVATE, 900, 0));
  say("fd -1: %s", try_map(kPage, PROT_READ, MAP_PRIVATE, -1, 0));
  say("pipe: %s", try_map(kPage, PROT_READ, MAP_PRIVATE, ends[0], 0));
  say("folder: %s", try_map(kPage, PROT_READ, MAP_PRIVATE, open("/", O_RDONLY | O_DIRECTORY), 0));
  say("path only: %s", try_map(kPage, PROT_READ, MAP_PRIVATE, open("/etc/passwd", O_PATH), 0));
  char path[] = "/tmp/memory-case-XXXXXX";
  const int both = mkstemp(path);
  NEED(both >= 0 && write(both, path, sizeof path) > 0);
  const int reader = open(path, O_RDONLY), writer = open(path, O_WRONLY);
  NEED(unlink(path) == 0 && reader >= 0 && writer >= 0);
  say("write-only, private: %s", try_map(kPage, PROT_READ, MAP_PRIVATE, writer, 0));
  say("write-only, shared: %s", try_map(kPage, PROT_WRITE, MAP_SHARED, writer, 0));
  say("read-only, shared, to write: %s", try_map(kPage, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0));
  say("read-only, private, to write: %s", try_map(kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, reader, 0));
  char* shared = mmap(NULL, kPage, PROT_READ, MAP_SHARED, reader, 0);
  say("read-only, shared, to read: %s", map_outcome(shared));
  say("then made writable: %s", outcome(mprotect(shared, kPage, PROT_READ | PROT_WRITE)));
  say("random device: %s", try_map(kPage, PROT_READ, MAP_PRIVATE, open("/dev/urandom", O_RDONLY), 0));
}

CASE(map_zero_device) {
  const int fd = open("/dev/zero", O_RDWR);
  char* at = mmap(NULL, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  NEED(at != MAP_FAILED && close(fd) == 0);
  fill_elsewhere(at, kPage, 7);
  say("%d %d", at[kPage - 1], at[kPage]);
}

CASE(map_fixed) {
  char* base = reserve_pages(8);
  const int rw = PROT_READ | PROT_WRITE;
  say("unaligned: %s", map_outcome(mmap(base + 5, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
  say("inside: %d", (int)((char*)mmap(base + kPage, 6 * kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) - base));
  fill_elsewhere(base + kPage, 6 * kPage, 9);
  say("middle replaced: %s",
      map_outcome(mmap(base + 3 * kPage, 2 * kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
  say("before %d, inside %d %d, behind %d", base[3 * kPage - 1], base[3 * kPage], base[5 * kPage - 1], base[5 * kPage]);
  say("no replace over it: %s",
      map_outcome(mmap(base + 4 * kPage, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)));
  say("still there: %d", base[5 * kPage]);
  NEED(munmap(base + 4 * kPage, kPage) == 0);
  say("no replace in the hole: %d",
      (int)((char*)mmap(base + 4 * kPage, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) - base) / kPage);
  say("over the end of the address space: %s",
      map_outcome(mmap((void*)0x7ffffffff000, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
}

CASE(map_hint) {
  char* base = reserve_pages(4);
  NEED(munmap(base + kPage, kPage) == 0);
  const int rw = PROT_READ | PROT_WRITE;
  say("free hint is taken: %d", mmap(base + kPage, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == base + kPage);
  say("taken hint is not: %d", mmap(base + kPage, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != base + kPage);
  NEED(munmap(base + kPage, kPage) == 0);
  say("unaligned hint goes down: %d", mmap(base + kPage + 77, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == base + kPage);
  const char* low = mmap(NULL, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  say("32 bit: %d", (uintptr_t)low < (uintptr_t)1 << 32);
  char* wanted = (char*)0x50000000;   // where a compiler wants its code
  const char* hinted = mmap(wanted, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  say("32 bit, hint: %d", hinted == wanted);
  NEED(munmap((void*)(uintptr_t)hinted, kPage) == 0);   // the case runs again in other threads
  const char* beyond = mmap((char*)0x90000000, kPage, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  say("32 bit, hint beyond: %d", (uintptr_t)beyond < (uintptr_t)1 << 31);
}

CASE(unmap_rules) {
  char* base = map_pages(6);
  fill_elsewhere(base, 6 * kPage, 5);
  say("unaligned: %s", outcome(munmap(base + 1, kPage)));
  say("length 0: %s", outcome(munmap(base, 0)));
  say("rounds up: %s", outcome(munmap(base + kPage, 1)));
  say("%s, %s, %s", try_read(base), try_read(base + kPage), try_read(base + 2 * kPage));
  say("again: %s", outcome(munmap(base + kPage, kPage)));
  say("over the hole: %s", outcome(munmap(base, 6 * kPage)));
  say("%s elsewhere %s", try_read(base + 5 * kPage), try_read_elsewhere(base + 5 * kPage));
  say("kernel addresses: %s", outcome(munmap((void*)0xffff800000000000, kPage)));
  say("too long: %s", outcome(munmap(base, (size_t)1 << 60)));
}

CASE(unmap_then_map_gives_zeros) {
  char* base = reserve_pages(4);
  for (int round = 1; round < 6; round++) {
    NEED(mmap(base, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == base);
    int sum = 0;
    for (int i = 0; i < 4 * kPage; i++) sum += base[i];
    say("round %d: sum %d", round, sum);
    fill_elsewhere(base, 3 * kPage, (char)round);
    if (round % 2 == 0) NEED(munmap(base, 4 * kPage) == 0);
  }
}

CASE(map_protection_of_fresh_memory) {
  const int wants[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC, PROT_WRITE};
  for (int i = 0; i < 5; i++) {
    char* at = mmap(NULL, kPage, wants[i], MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at != MAP_FAILED);
    say("prot %d: write %s, read %s", wants[i], try_write(at, 1), try_read(at));
  }
}

CASE(map_hugetlb_falls_back) {
  void* at = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  say("huge pages: %s", map_outcome(at));
}

CASE(map_populate_and_lock) {
  char* at = mmap(NULL, 8 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  NEED(at != MAP_FAILED);
  unsigned char present[8];
  NEED(mincore(at, 8 * kPage, present) == 0);
  int count = 0;
  for (int i = 0; i < 8; i++) count += present[i] & 1;
  say("populated: %d of 8", count);
  say("locked: %s", try_map(kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
}


CASE(wild_accesses) {
  say("null: read %s, write %s", try_read((void*)0x10), try_write((void*)0x10, 1));
  say("unmapped: read %s, write %s", try_read((void*)0x123456789000), try_write((void*)0x123456789000, 1));
  say("own code: write %s", try_write((void*)((uintptr_t)try_map & ~(uintptr_t)(kPage - 1)), 1));
}

CONFORMANCE_MAIN
