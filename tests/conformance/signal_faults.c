// SPDX-License-Identifier: Apache-2.0
// Signals that an instruction raises: what the handler is told, how it gets out, and how a process without one dies.
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "signal_probe.h"

static sigjmp_buf g_way_out;
static struct {
  volatile int signal, code;
  void* volatile address;
  volatile long long trap, error;
  volatile uintptr_t rip;
} g_seen;

static void keep(int signal, siginfo_t* info, void* context) {
  const greg_t* reg = ((ucontext_t*)context)->uc_mcontext.gregs;
  g_seen.signal = signal;
  g_seen.code = info->si_code;
  g_seen.address = info->si_addr;
  g_seen.trap = reg[REG_TRAPNO];
  g_seen.error = reg[REG_ERR];
  g_seen.rip = (uintptr_t)reg[REG_RIP];
  g_hits++;
}
static void keep_and_jump(int signal, siginfo_t* info, void* context) {
  keep(signal, info, context);
  siglongjmp(g_way_out, 1);
}

static char* page(int protection) {
  char* at = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NEED(at != MAP_FAILED);
  return at;
}
static void touch(volatile char* at, int write) {
  if (write)
    *at = 1;
  else
    (void)*at;
}
static void fault_at(char* at, int write) {
  on_info(SIGSEGV, keep_and_jump, 0);
  on_info(SIGBUS, keep_and_jump, 0);
  for (int i = 0; i < 2; i++) {
    if (sigsetjmp(g_way_out, 1) == 0) touch(at, write);
    say("%s code %d, address %s, trap %lld", sigabbrev_np(g_seen.signal), g_seen.code,
        g_seen.address == (void*)at ? "right" : "wrong", g_seen.trap);
  }
  say("ran %d, blocked %d", g_hits, is_blocked(SIGSEGV));
}
CASE(fault_unmapped_read) {
  char* at = page(PROT_READ);
  munmap(at, 4096);
  fault_at(at + 100, 0);
}
CASE(fault_unmapped_write) {
  char* at = page(PROT_READ | PROT_WRITE);
  at[0] = 1;
  munmap(at, 4096);
  fault_at(at + 7, 1);
}
CASE(fault_null) { fault_at(NULL, 1); }
CASE(fault_read_only) { fault_at(page(PROT_READ) + 33, 1); }
CASE(fault_no_access) { fault_at(page(PROT_NONE) + 44, 0); }
CASE(fault_protected_later) {
  char* at = page(PROT_READ | PROT_WRITE);
  at[9] = 1;
  NEED(mprotect(at, 4096, PROT_READ) == 0);
  fault_at(at + 9, 1);
}
CASE(fault_non_canonical) {
  on_info(SIGSEGV, keep_and_jump, 0);
  if (sigsetjmp(g_way_out, 1) == 0) touch((char*)0x8000000000000000, 1);
  say("code %d, address %p", g_seen.code, g_seen.address);
}
CASE(fault_beyond_file) {
  char path[] = "/tmp/dsm-map-XXXXXX";
  int fd = mkstemp(path);
  unlink(path);
  NEED(write(fd, "x", 1) == 1);
  char* at = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
  NEED(at != MAP_FAILED);
  fault_at(at + 4096 + 5, 0);
}

CASE(fault_division) {
  on_info(SIGFPE, keep_and_jump, 0);
  volatile int zero = 0;
  if (sigsetjmp(g_way_out, 1) == 0) zero = 5 / zero;
  say("code %d, at the instruction %d, value %d", g_seen.code, (uintptr_t)g_seen.address == g_seen.rip, zero);
}
CASE(fault_illegal) {
  on_info(SIGILL, keep_and_jump, 0);
  if (sigsetjmp(g_way_out, 1) == 0) __asm__ volatile("ud2");
  say("code %d, at the instruction %d", g_seen.code, (uintptr_t)g_seen.address == g_seen.rip);
}
CASE(fault_breakpoint) {
  on_info(SIGTRAP, keep, 0);
  __asm__ volatile("int3");
  say("ran %d, code %d, trap %lld", g_hits, g_seen.code, g_seen.trap);
}

static void skip_two_bytes(int signal, siginfo_t* info, void* context) {
  keep(signal, info, context);
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 2;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RCX] = 99;
}
CASE(fault_skipped_by_handler) {
  long rcx = 1;
  on_info(SIGILL, skip_two_bytes, 0);
  __asm__ volatile("ud2" : "+c"(rcx));
  say("rcx %ld, ran %d", rcx, g_hits);
}

static char* volatile g_page;   // stored before the access
static void open_page(int signal, siginfo_t* info, void* context) {
  keep(signal, info, context);
  mprotect(g_page, 4096, PROT_READ | PROT_WRITE);
}
CASE(fault_repaired_by_handler) {
  on_info(SIGSEGV, open_page, 0);
  g_page = page(PROT_NONE);
  g_page[17] = 5;
  say("byte %d, ran %d", g_page[17], g_hits);
}

static void use_alternate_stack(void) {
  stack_t stack = {.ss_size = 64 << 10, .ss_sp = malloc(64 << 10)};
  NEED(sigaltstack(&stack, NULL) == 0);
}
__attribute__((noinline)) static int dig(volatile char* above) {
  volatile char room[4096];
  room[0] = above[0];
  if (room[0] != 0) return 0;   // never: only the end of the stack ends it
  return dig(room) + room[0];
}
static void* overflow_stack(void* unused) {
  (void)unused;
  use_alternate_stack();
  on_info(SIGSEGV, keep_and_jump, SA_ONSTACK);
  volatile char top[1] = {0};
  if (sigsetjmp(g_way_out, 1) == 0) dig(top);
  say("ran %d", g_hits);
  return NULL;
}
CASE(fault_stack_overflow_on_alternate_stack) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  NEED(pthread_create(&thread, &attributes, overflow_stack, NULL) == 0);
  pthread_join(thread, NULL);
}

static void fault_again(int signal, siginfo_t* info, void* context) {
  keep(signal, info, context);
  if (g_hits < 3) touch(NULL, 1);
  siglongjmp(g_way_out, 1);
}
CASE(fault_in_handler_nodefer) {
  on_info(SIGSEGV, fault_again, SA_NODEFER);
  if (sigsetjmp(g_way_out, 1) == 0) touch(NULL, 1);
  say("ran %d", g_hits);
}

CASE(fault_sent_not_raised) {
  on_info(SIGSEGV, keep, 0);
  raise(SIGSEGV);
  say("ran %d, code %d", g_hits, g_seen.code);
  mask_one(SIG_BLOCK, SIGSEGV);
  raise(SIGSEGV);
  say("ran %d, pending %d", g_hits, is_pending(SIGSEGV));
  mask_one(SIG_UNBLOCK, SIGSEGV);
  say("ran %d", g_hits);
}

CASE(fault_sigsys_sent) {
  on_info(SIGSYS, keep, 0);
  raise(SIGSYS);
  kill(getpid(), SIGSYS);
  for (long until = now_ms() + kProbeSeconds * 1000; g_hits < 2 && now_ms() < until;) nap_ms(2);
  say("ran %d, %s", g_hits, sigabbrev_np(g_seen.signal));
}

// ---- How it ends without a handler: the status says ---------------------------------------------------------------------
CASE(death_by_segv) { touch(NULL, 1); }
CASE(death_by_segv_blocked) {
  on_info(SIGSEGV, keep, 0);
  mask_one(SIG_BLOCK, SIGSEGV);
  touch(NULL, 1);
}
CASE(death_by_segv_ignored) {
  signal(SIGSEGV, SIG_IGN);
  touch(NULL, 1);
}
CASE(death_by_segv_in_handler) {
  on_info(SIGSEGV, fault_again, 0);
  touch(NULL, 1);
}
CASE(death_by_protection_ignored) {
  signal(SIGSEGV, SIG_IGN);
  touch(page(PROT_READ), 1);
}
CASE(death_by_fpe) {
  volatile int zero = 0;
  zero = 5 / zero;
}
CASE(death_by_ill) { __asm__ volatile("ud2"); }
CASE(death_by_trap) { __asm__ volatile("int3"); }
CASE(death_by_abort) { abort(); }
CASE(death_by_abort_with_handler) {
  on_info(SIGABRT, keep, 0);
  mask_one(SIG_BLOCK, SIGABRT);
  abort();
}
CASE(death_by_raise) { raise(SIGTERM); }
CASE(death_by_kill) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}
CASE(death_by_real_time) { raise(SIGRTMIN + 3); }
CASE(death_by_bad_stack) {
  on_info(SIGUSR1, keep, 0);
  __asm__ volatile("mov %0, %%rsp\n\tsyscall\n\tud2"
                   :
                   : "r"(64L), "a"((long)SYS_tgkill), "D"((long)getpid()), "S"((long)own_tid()), "d"((long)SIGUSR1)
                   : "rcx", "r11", "memory");
}
static void* wait_for_ever(void* unused) {
  pause();
  return unused;
}
static void leave(int signal, siginfo_t* info, void* context) {
  (void)context;
  say("%s, code %d, address %p", sigabbrev_np(signal), info->si_code, info->si_addr);
  _exit(7);
}
CASE(death_by_bad_stack_reported) {
  use_alternate_stack();
  on_info(SIGUSR1, keep, 0);
  on_info(SIGSEGV, leave, SA_ONSTACK);
  __asm__ volatile("mov %0, %%rsp\n\tsyscall\n\tud2"
                   :
                   : "r"(64L), "a"((long)SYS_tgkill), "D"((long)getpid()), "S"((long)own_tid()), "d"((long)SIGUSR1)
                   : "rcx", "r11", "memory");
}
CASE(death_by_sigsys) { raise(SIGSYS); }
CASE(death_by_core_signal_status) { raise(SIGQUIT); }
CASE(death_while_others_wait) {
  pthread_t other;
  NEED(pthread_create(&other, NULL, wait_for_ever, NULL) == 0);
  nap_ms(50);
  raise(SIGXCPU);
}

CONFORMANCE_MAIN
