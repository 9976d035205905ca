// SPDX-License-Identifier: Apache-2.0
// The break, the limits on memory, stacks, and memory that no machine has.
#include <sys/resource.h>
#include <sys/uio.h>

#include "memory_support.h"

CASE(break_moves) {
  char* start = sbrk(0);
  NEED(start != (void*)-1);
  NEED(sbrk(10 * kPage) == start);
  fill_elsewhere(start, 10 * kPage, 'b');
  say("%c, end %s", start[10 * kPage - 1], sbrk(0) == start + 10 * kPage ? "moved" : "elsewhere");
  NEED(brk(start + 2 * kPage) == 0);
  char* page = (char*)(((uintptr_t)start + 3 * kPage) & ~(uintptr_t)(kPage - 1));
  say("cut: %s", try_read(page));
  NEED(brk(start + 10 * kPage) == 0);
  say("kept %c, regrown %d", start[0], page[0]);
  say("below the start: %s", outcome(brk((void*)0x10000)));
  say("far too high: %s", outcome(brk((void*)0x7fffffff0000)));
  say("still %d", sbrk(0) == start + 10 * kPage);
}

CASE(break_unaligned) {
  char* start = sbrk(0);
  NEED(sbrk(5000) == start);
  memset(start, 7, 5000);
  NEED(sbrk(-3000) == start + 5000);
  NEED(sbrk(3000) == start + 2000);
  say("%d %d", start[1999], sbrk(0) == start + 5000);
}

CASE(limit_of_data) {
  struct rlimit limit;
  NEED(getrlimit(RLIMIT_DATA, &limit) == 0);
  limit.rlim_cur = 64 << 20;
  NEED(setrlimit(RLIMIT_DATA, &limit) == 0);
  say("small %s", map_outcome(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  say("large %s", map_outcome(mmap(NULL, 256 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  say("large without write %s", map_outcome(mmap(NULL, 256 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  char* now = sbrk(0);
  say("break %s", outcome(brk(now + (256 << 20))));
  say("malloc %d", malloc(256 << 20) != NULL);
}

CASE(limit_of_address_space) {
  struct rlimit limit;
  NEED(getrlimit(RLIMIT_AS, &limit) == 0);
  limit.rlim_cur = 512 << 20;
  NEED(setrlimit(RLIMIT_AS, &limit) == 0);
  say("small %s", map_outcome(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  say("large %s", map_outcome(mmap(NULL, (size_t)1 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  say("reserved %s", map_outcome(mmap(NULL, (size_t)1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)));
  char* at = map_pages(2);
  say("remap %s", map_outcome(mremap(at, 2 * kPage, (size_t)1 << 30, MREMAP_MAYMOVE)));
  say("malloc %d", malloc((size_t)1 << 30) != NULL);
  struct rlimit now;
  NEED(getrlimit(RLIMIT_AS, &now) == 0);
  say("told back %d", now.rlim_cur == limit.rlim_cur);
}

CASE(beyond_the_machine) {
  const size_t absurd = (size_t)100 << 40;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  say("reserving: %s", map_outcome(mmap(NULL, absurd, PROT_READ | PROT_WRITE, flags, -1, 0)));
  say("malloc: %d", malloc((size_t)20 << 40) != NULL);
  char* at = mmap(NULL, (size_t)1 << 40, PROT_NONE, flags, -1, 0);
  say("inaccessible: %s", map_outcome(at));
  say("made writable: %s", outcome(mprotect(at, (size_t)1 << 40, PROT_READ | PROT_WRITE)));
  say("a part: %s", outcome(mprotect(at, 1 << 20, PROT_READ | PROT_WRITE)));
  say("read-only: %s", map_outcome(mmap(NULL, (size_t)1 << 40, PROT_READ, flags, -1, 0)));
  char* reserved = mmap(NULL, (size_t)1 << 40, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, -1, 0);
  say("not reserving: %s", map_outcome(reserved));
  if (reserved != MAP_FAILED) {
    fill_elsewhere(reserved + ((size_t)1 << 39), kPage, 'r');
    say("%c", reserved[(size_t)1 << 39]);
  }
  char* small = map_pages(2);
  say("remap: %s", map_outcome(mremap(small, 2 * kPage, (size_t)1 << 42, MREMAP_MAYMOVE)));
  say("shared: %s", map_outcome(mmap(NULL, absurd, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)));
}

__attribute__((noinline)) static int deep(int levels) {
  volatile char frame[1024];
  frame[0] = (char)levels;
  frame[1023] = 1;
  return levels == 0 ? frame[1023] : deep(levels - 1) + frame[1023];
}

CASE(stack_deep) { say("%d", deep(4000)); }

static char g_alternate[64 << 10];

static void on_overflow(int number, siginfo_t* info, void* context) {
  (void)context;
  const char here = 0;
  say("signal %d code %d, on the alternate stack %d, address near %d", number, info->si_code,
      &here >= g_alternate && &here < g_alternate + sizeof g_alternate, info->si_addr != NULL);
  _exit(7);
}

CASE(stack_overflow_handled) {
  const stack_t alternate = {.ss_sp = g_alternate, .ss_size = sizeof g_alternate};
  NEED(sigaltstack(&alternate, NULL) == 0);
  struct sigaction action = {0};
  action.sa_sigaction = on_overflow;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  NEED(sigaction(SIGSEGV, &action, NULL) == 0);
  say("%d", deep(1 << 30));
}

CASE(stack_overflow_kills) {
  struct rlimit none = {0, 0};
  NEED(setrlimit(RLIMIT_CORE, &none) == 0);
  say("%d", deep(1 << 30));
}

CASE(stack_limit_in_child_of_exec) {
  struct rlimit limit;
  NEED(getrlimit(RLIMIT_STACK, &limit) == 0);
  say("soft %ld KiB", (long)(limit.rlim_cur / 1024));
}

CASE(stack_grows_down_mapping) {
  char* base = reserve_pages(1024);   // free below it: more than the gap that the kernel keeps
  NEED(munmap(base, 1024 * kPage) == 0);
  char* top = mmap(base + 1020 * kPage, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  NEED(top == base + 1020 * kPage);
  memset(top, 'g', 2 * kPage);
  say("one below: %s", try_write(top - kPage + 8, 'h'));
  say("ten below: %s", try_write(top - 10 * kPage, 'i'));
  say("protect all of it: %s", outcome(mprotect(top, kPage, PROT_READ | PROT_GROWSDOWN)));
  say("lowest %s, above %s", try_write(top - 10 * kPage, 'j'), try_write(top + kPage, 'k'));
  say("%c%c%d", top[0], *(top - kPage + 8), *(top - 5 * kPage));
}

CASE(process_vm_calls) {
  char* at = map_pages(4);
  fill_elsewhere(at, 4 * kPage, 'v');
  char copy[100] = {0};
  struct iovec here = {copy, sizeof copy}, there = {at + kPage - 50, sizeof copy};
  say("read %d, %c%c", (int)process_vm_readv(getpid(), &here, 1, &there, 1, 0), copy[0], copy[99]);
  memset(copy, 'w', sizeof copy);
  say("write %d, %c%c", (int)process_vm_writev(getpid(), &here, 1, &there, 1, 0), at[kPage - 50], at[kPage + 49]);
  there.iov_base = (void*)0x123456789000;
  say("bad address: %s", outcome(process_vm_readv(getpid(), &here, 1, &there, 1, 0)));
  const pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    struct iovec in = {copy, sizeof copy}, out = {at + 2 * kPage, sizeof copy};
    _exit(process_vm_readv(getppid(), &in, 1, &out, 1, 0) == 100 && copy[5] == 'v' ? 0 : 1);
  }
  int status;
  NEED(waitpid(child, &status, 0) == child);
  say("child read the parent: %d", WEXITSTATUS(status));
}

CONFORMANCE_MAIN
