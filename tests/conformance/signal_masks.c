// SPDX-License-Identifier: Apache-2.0
// Masks, pending signals and their order, the calls that wait for signals, and contexts that handlers change.
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <ucontext.h>

#include "signal_probe.h"

static char g_order[256];
static void note(int signal, siginfo_t* info, void* context) {
  (void)context;
  size_t used = strlen(g_order);
  snprintf(g_order + used, sizeof g_order - used, " %d:%d", signal - SIGRTMIN, info->si_value.sival_int);
  g_hits++;
}
static void queue_to_self(int signal, int number) {
  union sigval value = {.sival_int = number};
  NEED(pthread_sigqueue(pthread_self(), signal, value) == 0);
}
static sigset_t real_time_set(void) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < 8; i++) sigaddset(&set, SIGRTMIN + i);
  return set;
}
static void handle_real_time(void) {
  struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO, .sa_mask = real_time_set()};
  for (int i = 0; i < 8; i++) NEED(sigaction(SIGRTMIN + i, &action, NULL) == 0);
}

CASE(pending_standard_coalesce) {
  on(SIGUSR1, count_hit, 0);
  mask_one(SIG_BLOCK, SIGUSR1);
  for (int i = 0; i < 5; i++) raise(SIGUSR1);
  say("pending %d, ran %d", is_pending(SIGUSR1), g_hits);
  mask_one(SIG_UNBLOCK, SIGUSR1);
  say("pending %d, ran %d", is_pending(SIGUSR1), g_hits);
}

CASE(pending_real_time_count_and_order) {
  sigset_t set = real_time_set();
  handle_real_time();
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  for (int i = 0; i < 4; i++) {
    queue_to_self(SIGRTMIN + 5, i);
    queue_to_self(SIGRTMIN + 2, 10 + i);
  }
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  say("%d:%s", g_hits, g_order);
}

// Without masks the later frame is on top: the last in order runs first.
CASE(pending_handlers_nest) {
  sigset_t set = real_time_set();
  for (int i = 0; i < 8; i++) on_info(SIGRTMIN + i, note, 0);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  for (int i = 0; i < 8; i++) queue_to_self(SIGRTMIN + (i * 3) % 8, i);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  say("%d:%s", g_hits, g_order);
}

CASE(pending_process_and_thread) {
  sigset_t set = real_time_set();
  handle_real_time();
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  union sigval value = {.sival_int = 50};
  queue_to_self(SIGRTMIN + 1, 1);
  queue_to_self(SIGRTMIN + 1, 2);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  pthread_sigqueue(pthread_self(), SIGRTMIN + 3, value);
  say("%d:%s", g_hits, g_order);
}

CASE(mask_unblock_delivers_before_return) {
  on(SIGUSR1, count_hit, 0);
  for (int i = 0; i < 50; i++) {
    mask_one(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    mask_one(SIG_UNBLOCK, SIGUSR1);
    if (g_hits != i + 1) say("%d after %d", g_hits, i);
  }
  say("ran %d", g_hits);
}

CASE(mask_blocked_never_runs) {
  on(SIGUSR1, count_hit, 0);
  pthread_t self = pthread_self();
  int bad = 0;
  for (int i = 0; i < 50; i++) {
    mask_one(SIG_BLOCK, SIGUSR1);
    int before = g_hits;
    pthread_kill(self, SIGUSR1);
    nap_ms(1);
    bad += g_hits != before;
    mask_one(SIG_UNBLOCK, SIGUSR1);
  }
  say("ran %d, while blocked %d", g_hits, bad);
}

CASE(mask_rules) {
  sigset_t set, now;
  sigemptyset(&set);
  sigaddset(&set, SIGKILL);
  sigaddset(&set, SIGSTOP);
  sigaddset(&set, SIGHUP);
  NEED(pthread_sigmask(SIG_SETMASK, &set, NULL) == 0);
  pthread_sigmask(SIG_BLOCK, NULL, &now);
  say("KILL %d STOP %d HUP %d", sigismember(&now, SIGKILL), sigismember(&now, SIGSTOP), sigismember(&now, SIGHUP));
  say("bad way %s", outcome(sigprocmask(17, &set, NULL)));
  say("bad size %s", outcome(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4)));
  say("bad address %s", outcome(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void*)8, NULL, 8)));
}

static void* report_mask(void* unused) {
  (void)unused;
  say("child: USR1 %d USR2 %d, pending %d", is_blocked(SIGUSR1), is_blocked(SIGUSR2), is_pending(SIGUSR1));
  return NULL;
}
CASE(mask_inherited_by_threads) {
  pthread_t child;
  mask_one(SIG_BLOCK, SIGUSR1);
  pthread_kill(pthread_self(), SIGUSR1);
  NEED(pthread_create(&child, NULL, report_mask, NULL) == 0);
  pthread_join(child, NULL);
  say("own pending %d", is_pending(SIGUSR1));
}

CASE(mask_saved_in_context) {
  ucontext_t context;
  mask_one(SIG_BLOCK, SIGUSR2);
  NEED(getcontext(&context) == 0);
  say("USR2 %d USR1 %d", sigismember(&context.uc_sigmask, SIGUSR2), sigismember(&context.uc_sigmask, SIGUSR1));
}

// ---- Contexts ---------------------------------------------------------------------------------------------------------
static void edit_mask(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)info;
  sigaddset(&((ucontext_t*)context)->uc_sigmask, SIGUSR2);
}
CASE(context_mask_edited) {
  on_info(SIGUSR1, edit_mask, 0);
  raise(SIGUSR1);
  say("USR2 %d USR1 %d", is_blocked(SIGUSR2), is_blocked(SIGUSR1));
}

static void edit_register(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)info;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RBX] = 4711;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RAX] = 815;
}
CASE(context_registers_edited) {
  on_info(SIGUSR1, edit_register, 0);
  long rax = SYS_tgkill, rbx = 1;
  __asm__ volatile("mov %2, %%rbx\n\tsyscall\n\tmov %%rbx, %1"
               : "+a"(rax), "=r"(rbx)
               : "r"(rbx), "D"((long)getpid()), "S"((long)own_tid()), "d"((long)SIGUSR1)
               : "rbx", "rcx", "r11", "memory");
  say("rax %ld, rbx %ld", rax, rbx);
}

static sigjmp_buf g_way_out;
static void jump_out(int signal) { siglongjmp(g_way_out, signal); }
CASE(context_siglongjmp) {
  volatile int times = 0;
  on(SIGUSR1, jump_out, 0);
  for (int i = 0; i < 3; i++) {
    if (sigsetjmp(g_way_out, 1) == 0)
      raise(SIGUSR1);
    else
      times++;
  }
  say("jumped %d, USR1 blocked %d", times, is_blocked(SIGUSR1));
}
CASE(context_siglongjmp_keeps_mask) {
  on(SIGUSR1, jump_out, 0);
  if (sigsetjmp(g_way_out, 0) == 0) raise(SIGUSR1);
  say("USR1 blocked %d", is_blocked(SIGUSR1));
}

static ucontext_t g_main_context, g_other_context;
static void other_function(void) {
  say("other: USR1 %d", is_blocked(SIGUSR1));
  mask_one(SIG_BLOCK, SIGUSR2);
  swapcontext(&g_other_context, &g_main_context);
  say("other again: USR2 %d", is_blocked(SIGUSR2));
}
CASE(context_swap) {
  static char stack[64 << 10];
  NEED(getcontext(&g_other_context) == 0);
  g_other_context.uc_stack.ss_sp = stack;
  g_other_context.uc_stack.ss_size = sizeof stack;
  g_other_context.uc_link = &g_main_context;
  sigaddset(&g_other_context.uc_sigmask, SIGUSR1);
  makecontext(&g_other_context, other_function, 0);
  swapcontext(&g_main_context, &g_other_context);
  say("main: USR1 %d USR2 %d", is_blocked(SIGUSR1), is_blocked(SIGUSR2));
  swapcontext(&g_main_context, &g_other_context);
  say("main: done");
}

static void keep_floats(int signal) {
  volatile double x = signal * 3.5;
  g_hits += x > 0;
}
CASE(context_floating_point_kept) {
  double sum = 0, step = 0.125;
  on(SIGUSR1, keep_floats, 0);
  for (int i = 0; i < 100; i++) {
    sum += step;
    if (i % 10 == 0) raise(SIGUSR1);
  }
  say("sum %.3f, ran %d", sum, g_hits);
}

// ---- Calls that wait --------------------------------------------------------------------------------------------------
static sigset_t all_but(int signal) {
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, signal);
  sigdelset(&set, SIGALRM);
  return set;
}

static volatile int g_inside_mask[2];
static void look_away(int signal) {
  g_inside_mask[0] = is_blocked(signal);
  g_inside_mask[1] = is_blocked(SIGUSR2);
  g_hits++;
}

CASE(wait_sigsuspend) {
  struct Poke by;
  on(SIGUSR1, look_away, 0);
  mask_one(SIG_BLOCK, SIGUSR1);
  sigset_t during = all_but(SIGUSR1);
  poke(&by, SIGUSR1, SYS_rt_sigsuspend, NULL, NULL);
  int result = sigsuspend(&during);
  say("%s, ran %d, blocked after %d", outcome(result), g_hits, is_blocked(SIGUSR1));
  poke_end(&by);
}

CASE(wait_sigsuspend_pending_before) {
  on(SIGUSR1, look_away, 0);
  mask_one(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  sigset_t during = all_but(SIGUSR1);
  say("%s", outcome(sigsuspend(&during)));
  say("ran %d, mask inside: USR1 %d USR2 %d, after: USR1 %d USR2 %d", g_hits, g_inside_mask[0], g_inside_mask[1],
      is_blocked(SIGUSR1), is_blocked(SIGUSR2));
}

CASE(wait_ppoll_pending_before) {
  on(SIGUSR1, look_away, 0);
  mask_one(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  sigset_t during = all_but(SIGUSR1);
  struct timespec limit = {10, 0};
  say("%s", outcome(ppoll(NULL, 0, &limit, &during)));
  say("ran %d, blocked after %d", g_hits, is_blocked(SIGUSR1));
}
CASE(wait_pselect_pending_before) {
  on(SIGUSR1, look_away, 0);
  mask_one(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  sigset_t during = all_but(SIGUSR1);
  struct timespec limit = {10, 0};
  say("%s", outcome(pselect(0, NULL, NULL, NULL, &limit, &during)));
  say("ran %d, blocked after %d", g_hits, is_blocked(SIGUSR1));
}
CASE(wait_epoll_pwait) {
  struct Poke by;
  struct epoll_event event;
  on(SIGUSR1, look_away, SA_RESTART);
  mask_one(SIG_BLOCK, SIGUSR1);
  sigset_t during = all_but(SIGUSR1);
  int fd = epoll_create1(0);
  poke(&by, SIGUSR1, SYS_epoll_pwait, NULL, NULL);
  say("%s", outcome(epoll_pwait(fd, &event, 1, 12000, &during)));
  say("ran %d, blocked after %d", g_hits, is_blocked(SIGUSR1));
  poke_end(&by);
}
CASE(wait_ppoll_does_not_take_masked) {
  sigset_t during;
  sigfillset(&during);
  on(SIGUSR1, look_away, 0);
  mask_one(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  struct timespec limit = {0, 50 * kNsInMs};
  int result = ppoll(NULL, 0, &limit, &during);
  say("%s, ran %d", outcome(result), g_hits);
}

CASE(wait_sigwaitinfo) {
  sigset_t set = real_time_set();
  siginfo_t info;
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  queue_to_self(SIGRTMIN + 4, 41);
  queue_to_self(SIGRTMIN + 1, 11);
  queue_to_self(SIGRTMIN + 1, 12);
  for (int i = 0; i < 3; i++) {
    int signal = sigwaitinfo(&set, &info);
    say("%d value %d code %d", signal - SIGRTMIN, info.si_value.sival_int, info.si_code);
  }
  struct timespec none = {0, 0};
  say("then %s", outcome(sigtimedwait(&set, &info, &none)));
}

CASE(wait_signalfd) {
  sigset_t set = real_time_set();
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  queue_to_self(SIGRTMIN + 2, 1);
  queue_to_self(SIGRTMIN + 2, 2);
  struct signalfd_siginfo info[4];
  ssize_t got = read(fd, info, sizeof info);
  say("%zd, values %d %d, code %d", got / (ssize_t)sizeof info[0], info[0].ssi_int, info[1].ssi_int, info[0].ssi_code);
  got = read(fd, info, sizeof info);
  say("then %s", outcome(got));
}

CASE(wait_signalfd_blocking) {
  struct Poke by;
  struct signalfd_siginfo info;
  mask_one(SIG_BLOCK, SIGUSR1);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  int fd = signalfd(-1, &set, 0);
  poke(&by, SIGUSR1, SYS_read, NULL, NULL);
  ssize_t got = read(fd, &info, sizeof info);
  say("%s, %s, code %d", got == sizeof info ? "one" : "none", sigabbrev_np((int)info.ssi_signo), info.ssi_code);
  poke_end(&by);
}

CONFORMANCE_MAIN
