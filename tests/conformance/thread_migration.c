// SPDX-License-Identifier: Apache-2.0
// What a thread keeps when it moves to another node while it runs. Natively there is no other node and the moves do nothing, so
// that the output is what must not change.
#include <fenv.h>
#include <immintrin.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "libdsm/runtime/dsm_calls.h"
#include "conformance.h"

// There and back again, and to where the case began. Only -ENOSYS (no node but this one) may be the answer instead of 0.
static void go(int node) {
  errno = 0;
  long result = syscall(DSM_CALL_MIGRATE, node);
  NEED(result == 0 || errno == ENOSYS);
}
static int node_now(void) {
  long node = syscall(DSM_CALL_NODE);
  return node >= 0 ? (int)node : 0;
}
enum { kMoves = 20 };

CASE(migrated_to_the_node_it_names) {
  for (int i = 0; i < kMoves; i++) {
    go(i % 2);
    NEED(node_now() == i % 2 || syscall(DSM_CALL_NODE_COUNT) < 0);
  }
  errno = 0;
  long result = syscall(DSM_CALL_MIGRATE, 99);
  say("a node that does not exist: %s", result == -1 && (errno == EINVAL || errno == ENOSYS) ? "refused" : "taken");
}

// A system call is the only thing between the loads and the stores; by hand, so that the compiler keeps nothing elsewhere.
static long move_with_registers(int node, const double in[16], double out[16], long rbx_in, long* rbx_out) {
  long result;
  __asm__ volatile(
      "mov %[rbx_in], %%rbx\n"
      "movupd 0(%[in]), %%xmm0\n movupd 16(%[in]), %%xmm5\n movupd 32(%[in]), %%xmm10\n movupd 48(%[in]), %%xmm15\n"
      "fldl 64(%[in])\n fldl 72(%[in])\n"
      "syscall\n"
      "movupd %%xmm0, 0(%[out])\n movupd %%xmm5, 16(%[out])\n movupd %%xmm10, 32(%[out])\n movupd %%xmm15, 48(%[out])\n"
      "fstpl 72(%[out])\n fstpl 64(%[out])\n"
      "mov %%rbx, %[rbx_out]\n"
      : "=a"(result), [rbx_out] "=&r"(*rbx_out)
      : "a"(DSM_CALL_MIGRATE), "D"((long)node), [in] "r"(in), [out] "r"(out), [rbx_in] "r"(rbx_in)
      : "rbx", "rcx", "r11", "memory", "xmm0", "xmm5", "xmm10", "xmm15");
  return result;
}

CASE(migrated_registers) {
  double in[16], out[16];
  for (int i = 0; i < kMoves; i++) {
    for (int k = 0; k < 16; k++) in[k] = i * 1.25 + k / 3.0;
    memset(out, 0, sizeof out);
    long rbx = 0;
    long result = move_with_registers(i % 2, in, out, 0x1234567890abcdefL + i, &rbx);
    NEED(result == 0 || result == -ENOSYS);
    NEED(memcmp(in, out, 10 * sizeof *in) == 0);
    NEED(rbx == 0x1234567890abcdefL + i);
  }
  say("SSE, x87 and general registers survive");
}

__attribute__((target("avx"))) static int avx_round(int node) {
  float in[8], out[8];
  for (int k = 0; k < 8; k++) in[k] = (float)(node * 10 + k);
  long result = DSM_CALL_MIGRATE;
  __asm__ volatile("vmovups (%[in]), %%ymm7\n syscall\n vmovups %%ymm7, (%[out])\n vzeroupper\n"
                   : "+a"(result)
                   : "D"((long)node), [in] "r"(in), [out] "r"(out)
                   : "rcx", "r11", "memory", "xmm7");
  NEED(result == 0 || result == -ENOSYS);
  return memcmp(in, out, sizeof in) == 0;
}

CASE(migrated_avx_registers) {
  int kept = 0;
  for (int i = 0; i < kMoves; i++) kept += !__builtin_cpu_supports("avx") || avx_round(i % 2);
  say("upper halves kept %d times", kept);
}

CASE(migrated_rounding_modes) {
  fesetround(FE_UPWARD);
  unsigned mxcsr = _mm_getcsr() | 0x8000;
  _mm_setcsr(mxcsr);
  unsigned short before, after;
  __asm__ volatile("fnstcw %0" : "=m"(before));
  for (int i = 0; i < kMoves; i++) {
    go(i % 2);
    NEED((_mm_getcsr() & ~0x3fu) == (mxcsr & ~0x3fu));
    __asm__ volatile("fnstcw %0" : "=m"(after));
    NEED(before == after && fegetround() == FE_UPWARD);
  }
  say("MXCSR and the x87 control word survive");
}

static __thread int g_local = 7;
CASE(migrated_thread_locals_and_errno) {
  int* address = &g_local;
  for (int i = 0; i < kMoves; i++) {
    g_local += i;
    go(i % 2);
    NEED(&g_local == address);
    errno = 1000 + i;
    syscall(SYS_gettid);
    NEED(errno == 1000 + i);
    go((i + 1) % 2);
    // The move itself sets errno only where it fails.
    NEED(errno == 0 || errno == ENOSYS);
  }
  say("%d", g_local);
}

CASE(migrated_identity) {
  pid_t pid = getpid();
  long tid = syscall(SYS_gettid);
  pthread_t self = pthread_self();
  prctl(PR_SET_NAME, "wanderer");
  char name[16] = "";
  for (int i = 0; i < kMoves; i++) {
    go(i % 2);
    NEED(getpid() == pid && syscall(SYS_gettid) == tid && pthread_equal(self, pthread_self()));
    NEED(pthread_kill(self, 0) == 0);
    prctl(PR_GET_NAME, name);
    NEED(strcmp(name, "wanderer") == 0);
  }
  say("pid, tid and name survive");
}

CASE(migrated_signal_mask) {
  sigset_t set, seen;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 3);
  NEED(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  for (int i = 0; i < kMoves; i++) {
    go(i % 2);
    NEED(pthread_sigmask(SIG_BLOCK, NULL, &seen) == 0);
    NEED(sigismember(&seen, SIGUSR1) && sigismember(&seen, SIGRTMIN + 3) && !sigismember(&seen, SIGUSR2));
  }
  say("mask survives");
}

static volatile sig_atomic_t g_caught, g_value;
static void catch_it(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  g_caught++;
  g_value = info->si_value.sival_int;
}
static void install(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
  NEED(sigaction(signal, &action, NULL) == 0);
}

CASE(migrated_pending_signal) {
  install(SIGUSR1, catch_it, 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  for (int i = 0; i < kMoves; i++) {
    NEED(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    NEED(pthread_sigqueue(pthread_self(), SIGUSR1, (union sigval){.sival_int = i}) == 0);
    go(i % 2);
    NEED(g_caught == i);
    NEED(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
    NEED(g_caught == i + 1 && g_value == i);
  }
  say("a pending signal waits for %d moves", kMoves);
}

static void move_in_handler(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  (void)context;
  char here;
  go(1 - node_now());
  g_value = here = (char)(g_value + 1);
}

CASE(migrated_inside_a_handler) {
  static char stack[65536];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, seen;
  NEED(sigaltstack(&alternate, NULL) == 0);
  install(SIGUSR2, move_in_handler, SA_ONSTACK);
  int kept = 0;
  for (int i = 0; i < kMoves; i++) {
    NEED(pthread_kill(pthread_self(), SIGUSR2) == 0);
    NEED(g_value == i + 1);
    NEED(sigaltstack(NULL, &seen) == 0);
    kept += seen.ss_sp == stack && seen.ss_size == sizeof stack && (seen.ss_flags & SS_ONSTACK) == 0;
  }
  say("%d handlers began on one node and ended on another; alternate stack kept %d times", kMoves, kept);
}

CASE(migrated_with_a_timer) {
  install(SIGRTMIN, catch_it, 0);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
  event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
  event.sigev_value.sival_int = 42;
  timer_t timer;
  NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  struct itimerspec soon = {.it_value = {.tv_nsec = 20000000}};
  for (int i = 0; i < 3; i++) {
    NEED(timer_settime(timer, 0, &soon, NULL) == 0);
    for (int moves = 0; g_caught == i; moves++) go(moves % 2);
    NEED(g_value == 42);
  }
  say("the timer found its thread 3 times");
}

static pthread_mutex_t g_mutex;
static void* die_with_mutex(void* unused) {
  go(1);
  NEED(pthread_mutex_lock(&g_mutex) == 0);
  go(0);
  go(1);
  return unused;
}
CASE(migrated_owner_of_a_robust_mutex) {
  pthread_mutexattr_t robust;
  NEED(pthread_mutexattr_init(&robust) == 0 && pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST) == 0);
  NEED(pthread_mutex_init(&g_mutex, &robust) == 0);
  pthread_t owner;
  NEED(pthread_create(&owner, NULL, die_with_mutex, NULL) == 0 && pthread_join(owner, NULL) == 0);
  int result = pthread_mutex_lock(&g_mutex);
  say("%s", strerrorname_np(result));
  NEED(pthread_mutex_consistent(&g_mutex) == 0 && pthread_mutex_unlock(&g_mutex) == 0);
}

static double seconds(clockid_t clock) {
  struct timespec t;
  NEED(clock_gettime(clock, &t) == 0);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

CASE(migrated_cpu_time_never_decreases) {
  double before = seconds(CLOCK_THREAD_CPUTIME_ID), begin = before;
  for (int i = 0; i < kMoves; i++) {
    for (volatile int k = 0; k < 300000; k++) continue;
    go(i % 2);
    double now = seconds(CLOCK_THREAD_CPUTIME_ID);
    NEED(now > before);
    before = now;
  }
  say("%s", before - begin < 10 ? "plausible" : "it has counted another thread's time");
}

CASE(migrated_sleep_lasts) {
  for (int i = 0; i < 4; i++) {
    double begin = seconds(CLOCK_MONOTONIC);
    go(i % 2);
    struct timespec nap = {.tv_nsec = 30000000};
    NEED(nanosleep(&nap, NULL) == 0);
    NEED(seconds(CLOCK_MONOTONIC) - begin >= 0.03);
  }
  say("4 sleeps were long enough");
}

static jmp_buf g_back;
static int dive(int depth) {
  char filler[512];
  memset(filler, depth, sizeof filler);
  if (depth < 0) return 0;
  if (depth == 0) {
    go(1 - node_now());
    longjmp(g_back, 5);
  }
  int below = dive(depth - 1);
  return below + filler[depth % 512];
}
CASE(migrated_longjmp_across_a_move) {
  volatile int jumps = 0;
  int value = setjmp(g_back);
  if (value != 0) {
    NEED(value == 5);
    jumps++;
  }
  if (jumps < 6) dive(100);
  say("%d jumps", jumps);
}

static int sum_down(int depth) {
  volatile int here = depth;
  if (depth % 50 == 0) go(depth / 50 % 2);
  return depth == 0 ? 0 : here + sum_down(depth - 1);
}
CASE(migrated_deep_stack) { say("%d", sum_down(1000)); }

static pthread_cond_t g_turn_changed = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t g_turn_lock = PTHREAD_MUTEX_INITIALIZER;
static int g_turn, g_rounds;
static void* take_turns(void* argument) {
  int mine = *(int*)argument;
  for (int i = 0; i < 30; i++) {
    if (i % 3 == mine) go(i / 3 % 2);
    pthread_mutex_lock(&g_turn_lock);
    while (g_turn != mine) pthread_cond_wait(&g_turn_changed, &g_turn_lock);
    g_turn = 1 - mine;
    g_rounds++;
    pthread_cond_signal(&g_turn_changed);
    pthread_mutex_unlock(&g_turn_lock);
  }
  return NULL;
}
CASE(migrated_condition_variable) {
  int mine = 0, other = 1;
  pthread_t thread;
  NEED(pthread_create(&thread, NULL, take_turns, &other) == 0);
  take_turns(&mine);
  NEED(pthread_join(thread, NULL) == 0);
  say("%d turns", g_rounds);
}

CASE(migrated_affinity) {
  cpu_set_t before, now;
  NEED(sched_getaffinity(0, sizeof before, &before) == 0);
  for (int i = 0; i < kMoves; i++) {
    go(i % 2);
    NEED(sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&before, &now));
    NEED(sched_getcpu() >= 0 && sched_getcpu() < CPU_COUNT(&now));
  }
  say("affinity survives");
}

CASE(migrated_thread_forks_and_waits) {
  for (int i = 0; i < 2; i++) {
    go(i);
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) _exit(40 + i);
    int status = 0;
    NEED(waitpid(child, &status, 0) == child && WIFEXITED(status));
    say("child says %d", WEXITSTATUS(status));
  }
}

CONFORMANCE_MAIN
