// SPDX-License-Identifier: Apache-2.0
// mprotect: errors, parts, content that stays, code that is written and run.
#include "memory_support.h"

CASE(protect_errors) {
  char* at = map_pages(4);
  say("unaligned: %s", outcome(mprotect(at + 1, kPage, PROT_READ)));
  say("length 0: %s", outcome(mprotect(at, 0, PROT_READ)));
  say("unknown bit: %s", outcome(mprotect(at, kPage, 0x100)));
  say("grows up: %s", outcome(mprotect(at, kPage, PROT_READ | PROT_GROWSUP)));
  say("grows down of ordinary memory: %s", outcome(mprotect(at, kPage, PROT_READ | PROT_GROWSDOWN)));
  say("wraps: %s", outcome(mprotect(at, ~(size_t)0 - 2 * kPage, PROT_READ)));
  NEED(munmap(at + 2 * kPage, kPage) == 0);
  say("over a hole: %s", outcome(mprotect(at, 4 * kPage, PROT_READ)));
  say("before the hole it took effect: %s, behind not: %s", try_write(at, 1), try_write(at + 3 * kPage, 1));
  say("nothing there: %s", outcome(mprotect(at + 2 * kPage, kPage, PROT_READ)));
}

CASE(protect_none_and_back) {
  char* at = map_pages(6);
  fill_elsewhere(at, 6 * kPage, 'k');
  at[0] = 'h';
  NEED(mprotect(at, 6 * kPage, PROT_NONE) == 0);
  say("read %s, write %s, elsewhere %s", try_read(at), try_write(at + kPage, 1), try_read_elsewhere(at + 2 * kPage));
  NEED(mprotect(at, 6 * kPage, PROT_READ | PROT_WRITE) == 0);
  say("%c%c%c", at[0], at[kPage], at[6 * kPage - 1]);
  say("elsewhere same: %d", sum_of(at, 6 * kPage) == sum_elsewhere(at, 6 * kPage));
}

CASE(protect_parts) {
  char* at = map_pages(5);
  fill_elsewhere(at, 5 * kPage, 'p');
  NEED(mprotect(at + kPage, kPage, PROT_READ) == 0 && mprotect(at + 3 * kPage, kPage, PROT_NONE) == 0);
  for (int i = 0; i < 5; i++) say("page %d: read %s, write %s", i, try_read(at + i * kPage + 5), try_write(at + i * kPage + 6, 'w'));
  NEED(mprotect(at, 5 * kPage, PROT_READ | PROT_WRITE) == 0);
  for (int i = 0; i < 5; i++) say("page %d: %c%c", i, at[i * kPage], at[i * kPage + 6]);
}

CASE(protect_after_faulting_handler) {
  char* at = map_pages(2);
  NEED(mprotect(at, 2 * kPage, PROT_READ) == 0);
  for (int i = 0; i < 5; i++) {
    say("%s", try_write(at, 1));
    NEED(mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0);
    say("%s", try_write(at, 1));
    NEED(mprotect(at, kPage, PROT_READ) == 0);
  }
}

static void emit(char* at, unsigned char value) {
  const unsigned char code[] = {0xb8, value, 0, 0, 0, 0xc3};   // mov $value, %eax; ret
  memcpy(at, code, sizeof code);
}

static int run(const char* at) { return ((int (*)(void))(uintptr_t)at)(); }

static void* run_thread(void* at) { return (void*)(intptr_t)run(at); }

static int run_elsewhere(char* at) {
  pthread_t thread;
  void* result;
  NEED(pthread_create(&thread, NULL, run_thread, at) == 0 && pthread_join(thread, &result) == 0);
  return (int)(intptr_t)result;
}

CASE(jit_flip) {
  char* at = map_pages(2);
  for (int round = 1; round < 8; round++) {
    NEED(mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0);
    emit(at, (unsigned char)(10 * round));
    NEED(mprotect(at, kPage, PROT_READ | PROT_EXEC) == 0);
    say("%d %d, write %s", run(at), run_elsewhere(at), try_write(at, 0));
  }
}

CASE(jit_rwx) {
  char* at = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NEED(at != MAP_FAILED);
  for (int round = 1; round < 8; round++) {
    emit(at + 100, (unsigned char)round);
    say("%d %d", run(at + 100), run_elsewhere(at + 100));
  }
}

CASE(jit_two_views) {
  const int fd = memfd_create("jit", 0);
  NEED(fd >= 0 && ftruncate(fd, kPage) == 0);
  char* writer = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char* runner = mmap(NULL, kPage, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  NEED(writer != MAP_FAILED && runner != MAP_FAILED);
  for (int round = 1; round < 4; round++) {
    emit(writer, (unsigned char)round);
    say("%d %d", run(runner), run_elsewhere(runner));
  }
}

CASE(guard_page_of_thread_stack) {
  pthread_attr_t attributes;
  void* low;
  size_t bytes, guard;
  NEED(pthread_getattr_np(pthread_self(), &attributes) == 0);
  NEED(pthread_attr_getstack(&attributes, &low, &bytes) == 0 && pthread_attr_getguardsize(&attributes, &guard) == 0);
  const char here = 0;
  say("on it: %d", &here >= (char*)low && &here < (char*)low + bytes);
  say("guard: %d", guard == kPage);
}

CONFORMANCE_MAIN
