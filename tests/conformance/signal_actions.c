// SPDX-License-Identifier: Apache-2.0
// What sigaction promises: the flags, the data that comes with a signal, the alternate stack.
#include <mqueue.h>
#include <sys/socket.h>
#include <ucontext.h>

#include "signal_probe.h"

static siginfo_t g_info;
static volatile pid_t g_handler_tid;
static void keep_info(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  g_info = *info;
  g_handler_tid = own_tid();
  g_hits++;
}
static void wait_for_hits(int wanted) {
  for (long until = now_ms() + kProbeSeconds * 1000; g_hits < wanted && now_ms() < until;) nap_ms(2);
  say("handler ran %d", g_hits);
}
static void say_sender(void) {
  say("signal %s, code %d, from %s, uid %s, in %s", sigabbrev_np(g_info.si_signo), g_info.si_code,
      g_info.si_pid == getpid() ? "this process" : "elsewhere", g_info.si_uid == getuid() ? "own" : "other",
      g_handler_tid == own_tid() ? "the caller" : "another thread");
}

CASE(info_of_raise) {
  on_info(SIGUSR1, keep_info, 0);
  raise(SIGUSR1);
  wait_for_hits(1);
  say_sender();
}

CASE(info_of_kill) {
  mask_one(SIG_BLOCK, SIGUSR1);
  on_info(SIGUSR1, keep_info, 0);
  kill(getpid(), SIGUSR1);
  say("blocked: handler ran %d", g_hits != 0 && g_handler_tid == own_tid());
  mask_one(SIG_UNBLOCK, SIGUSR1);
  wait_for_hits(1);
  say("code %d, from %s", g_info.si_code, g_info.si_pid == getpid() ? "this process" : "elsewhere");
}

CASE(info_of_kill_by_child) {
  on_info(SIGUSR1, keep_info, 0);
  pid_t child = fork();
  if (child == 0) _exit(kill(getppid(), SIGUSR1));
  wait_for_hits(1);
  say("code %d, from %s", g_info.si_code, g_info.si_pid == child ? "the child" : "elsewhere");
  waitpid(child, NULL, 0);
}

CASE(info_of_sigqueue) {
  on_info(SIGRTMIN, keep_info, 0);
  union sigval value = {.sival_ptr = (void*)0x1234567890abcdef};
  NEED(sigqueue(getpid(), SIGRTMIN, value) == 0);
  wait_for_hits(1);
  say("code %d, value %lx, from %s", g_info.si_code, (unsigned long)g_info.si_value.sival_ptr,
      g_info.si_pid == getpid() ? "this process" : "elsewhere");
}

CASE(info_of_pthread_sigqueue) {
  on_info(SIGRTMIN + 1, keep_info, 0);
  union sigval value = {.sival_int = 77};
  NEED(pthread_sigqueue(pthread_self(), SIGRTMIN + 1, value) == 0);
  wait_for_hits(1);
  say("value %d", g_info.si_value.sival_int);
  say("code %d, in %s", g_info.si_code, g_handler_tid == own_tid() ? "the caller" : "another thread");
}

CASE(info_of_timer) {
  on_info(SIGRTMIN + 2, keep_info, 0);
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 5};
  NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  struct itimerspec soon = {.it_value.tv_nsec = 20 * kNsInMs};
  NEED(timer_settime(timer, 0, &soon, NULL) == 0);
  wait_for_hits(1);
  say("code %d, value %d, overrun %d", g_info.si_code, g_info.si_value.sival_int, g_info.si_overrun);
}

CASE(info_of_message_queue) {
  on_info(SIGUSR2, keep_info, 0);
  char name[32];
  snprintf(name, sizeof name, "/dsm-%d", getpid());
  struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 8};
  mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, &attributes);
  NEED(queue >= 0);
  mq_unlink(name);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 9};
  NEED(mq_notify(queue, &event) == 0 && mq_send(queue, "x", 1, 0) == 0);
  wait_for_hits(1);
  say("code %d, value %d", g_info.si_code, g_info.si_value.sival_int);
}

static void child_info(int how) {
  on_info(SIGCHLD, keep_info, SA_RESTART);
  pid_t child = fork();
  if (child == 0) {
    if (how == 0) _exit(42);
    if (how == 1) raise(SIGKILL);
    raise(SIGSTOP);
    _exit(0);
  }
  wait_for_hits(1);
  say("code %d, status %d, from %s", g_info.si_code, g_info.si_status, g_info.si_pid == child ? "the child" : "elsewhere");
  if (how == 2) kill(child, SIGKILL);
  NEED(waitpid(child, NULL, 0) == child);
}
CASE(info_of_exited_child) { child_info(0); }
CASE(info_of_killed_child) { child_info(1); }
CASE(info_of_stopped_child) { child_info(2); }

CASE(info_of_ready_descriptor) {
  int ends[2];
  on_info(SIGRTMIN + 3, keep_info, 0);
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  NEED(fcntl(ends[0], F_SETOWN, getpid()) == 0 && fcntl(ends[0], F_SETSIG, SIGRTMIN + 3) == 0);
  NEED(fcntl(ends[0], F_SETFL, O_ASYNC) == 0 && write(ends[1], "x", 1) == 1);
  wait_for_hits(1);
  say("code %d, descriptor %s, readable %d", g_info.si_code, g_info.si_fd == ends[0] ? "right" : "wrong",
      (g_info.si_band & POLLIN) != 0);
}

CASE(info_of_broken_pipe) {
  int ends[2];
  on_info(SIGPIPE, keep_info, 0);
  NEED(pipe(ends) == 0);
  close(ends[0]);
  ssize_t gave = write(ends[1], "x", 1);
  say("write %s, handler ran %d, in %s", outcome(gave), g_hits, g_handler_tid == own_tid() ? "the caller" : "another thread");
}

// ---- Flags ----------------------------------------------------------------------------------------------------------
static volatile int g_depth, g_deepest;   // raise() is declared as a leaf
static void raise_again(int signal) {
  if (++g_depth > g_deepest) g_deepest = g_depth;
  if (++g_hits < 3) raise(signal);
  g_depth--;
}
CASE(flag_nodefer) {
  on(SIGUSR1, raise_again, SA_NODEFER);
  raise(SIGUSR1);
  say("%d runs, %d deep", g_hits, g_deepest);
}
CASE(flag_without_nodefer) {
  on(SIGUSR1, raise_again, 0);
  raise(SIGUSR1);
  say("%d runs, %d deep", g_hits, g_deepest);
}

CASE(flag_resethand) {
  struct sigaction now;
  on(SIGUSR1, count_hit, SA_RESETHAND);
  raise(SIGUSR1);
  NEED(sigaction(SIGUSR1, NULL, &now) == 0);
  say("ran %d, then %s", g_hits, now.sa_handler == SIG_DFL ? "default" : "kept");
  raise(SIGUSR1);
  say("not reached");
}

static volatile int g_blocked_inside[3];
static void look_at_mask(int signal) {
  g_blocked_inside[0] = is_blocked(signal);
  g_blocked_inside[1] = is_blocked(SIGUSR2);
  g_blocked_inside[2] = is_blocked(SIGTERM);
}
CASE(flag_mask_of_action) {
  struct sigaction action = {.sa_handler = look_at_mask};
  sigaddset(&action.sa_mask, SIGUSR2);
  sigaddset(&action.sa_mask, SIGKILL);
  NEED(sigaction(SIGUSR1, &action, NULL) == 0);
  raise(SIGUSR1);
  say("inside %d %d %d, after %d %d", g_blocked_inside[0], g_blocked_inside[1], g_blocked_inside[2], is_blocked(SIGUSR1),
      is_blocked(SIGUSR2));
  NEED(sigaction(SIGUSR1, NULL, &action) == 0);
  say("read back: USR2 %d, KILL %d, flags %x", sigismember(&action.sa_mask, SIGUSR2), sigismember(&action.sa_mask, SIGKILL),
      action.sa_flags);
}

CASE(flag_unknown_bits) {
  on(SIGUSR1, count_hit, SA_RESTART | 0x400 | 0x200000);
  struct sigaction now;
  NEED(sigaction(SIGUSR1, NULL, &now) == 0);
  say("flags %x", now.sa_flags);
}

CASE(flag_no_child_wait) {
  on(SIGCHLD, count_hit, SA_NOCLDWAIT | SA_RESTART);
  pid_t child = fork();
  if (child == 0) _exit(0);
  pid_t got = waitpid(child, NULL, 0);
  say("waitpid %s", outcome(got));
}

CASE(flag_no_child_stop) {
  int status;
  on(SIGCHLD, count_hit, SA_NOCLDSTOP | SA_RESTART);
  pid_t child = fork();
  if (child == 0) {
    raise(SIGSTOP);
    _exit(0);
  }
  NEED(waitpid(child, &status, WUNTRACED) == child);
  say("stopped %d, handler ran %d", WIFSTOPPED(status), g_hits);
  kill(child, SIGCONT);
  NEED(waitpid(child, &status, 0) == child);
  wait_for_hits(1);
}

CASE(action_refused) {
  struct sigaction action = {.sa_handler = count_hit};
  say("KILL %s", outcome(sigaction(SIGKILL, &action, NULL)));
  say("STOP %s", outcome(sigaction(SIGSTOP, &action, NULL)));
  say("65 %s", outcome(sigaction(65, &action, NULL)));
  say("KILL read %s", outcome(sigaction(SIGKILL, NULL, &action)));
}

CASE(action_ignore_discards_pending) {
  on(SIGUSR1, count_hit, 0);
  mask_one(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  say("pending %d", is_pending(SIGUSR1));
  signal(SIGUSR1, SIG_IGN);
  say("pending %d", is_pending(SIGUSR1));
  on(SIGUSR1, count_hit, 0);
  mask_one(SIG_UNBLOCK, SIGUSR1);
  say("handler ran %d", g_hits);
}

static void second_handler(int signal) {
  (void)signal;
  g_hits += 100;
}
static void change_handler(int signal) {
  g_hits++;
  on(signal, second_handler, 0);
}
CASE(action_changed_in_handler) {
  on(SIGUSR1, change_handler, 0);
  raise(SIGUSR1);
  raise(SIGUSR1);
  say("hits %d", g_hits);
}

// ---- The alternate stack ----------------------------------------------------------------------------------------------
enum { kStackBytes = 64 << 10 };
static char g_stack[kStackBytes] __attribute__((aligned(16)));
static volatile int g_inside, g_flags_inside, g_change_error;
static int on_stack(const void* address) { return (const char*)address >= g_stack && (const char*)address < g_stack + kStackBytes; }
static void look_at_stack(int signal) {
  stack_t now, other = {.ss_flags = SS_DISABLE};
  (void)signal;
  g_inside = on_stack(&now);
  sigaltstack(NULL, &now);
  g_flags_inside = now.ss_flags;
  g_change_error = sigaltstack(&other, NULL) == 0 ? 0 : errno;
  g_hits++;
}
static void use_stack(int flags) {
  stack_t stack = {.ss_sp = g_stack, .ss_size = kStackBytes, .ss_flags = flags};
  NEED(sigaltstack(&stack, NULL) == 0);
}
CASE(altstack_used) {
  stack_t now;
  use_stack(0);
  on(SIGUSR1, look_at_stack, SA_ONSTACK);
  raise(SIGUSR1);
  say("inside %d, flags %x, change %s", g_inside, g_flags_inside, strerrorname_np(g_change_error));
  sigaltstack(NULL, &now);
  say("after: flags %x, size %zu", now.ss_flags, now.ss_size);
}
CASE(altstack_not_used_without_flag) {
  use_stack(0);
  on(SIGUSR1, look_at_stack, 0);
  raise(SIGUSR1);
  say("inside %d, flags %x", g_inside, g_flags_inside);
}
CASE(altstack_autodisarm) {
  stack_t now;
  use_stack(1 << 31);
  on(SIGUSR1, look_at_stack, SA_ONSTACK);
  raise(SIGUSR1);
  say("inside %d, flags %x, change %d", g_inside, (unsigned)g_flags_inside, g_change_error);
  sigaltstack(NULL, &now);
  say("after: flags %x, size %zu", (unsigned)now.ss_flags, now.ss_size);
}
static void nest_on_stack(int signal) {
  char here;
  (void)signal;
  g_inside += on_stack(&here);
  raise(SIGUSR2);
}
static void nested_on_stack(int signal) {
  char here;
  (void)signal;
  g_inside += on_stack(&here);
}
CASE(altstack_nested) {
  use_stack(0);
  on(SIGUSR1, nest_on_stack, SA_ONSTACK);
  on(SIGUSR2, nested_on_stack, SA_ONSTACK);
  raise(SIGUSR1);
  raise(SIGUSR1);
  say("inside %d", g_inside);
}
CASE(altstack_refused) {
  stack_t small = {.ss_sp = g_stack, .ss_size = 100}, odd = {.ss_sp = g_stack, .ss_size = kStackBytes, .ss_flags = 8}, now;
  say("small %s", outcome(sigaltstack(&small, NULL)));
  say("flags %s", outcome(sigaltstack(&odd, NULL)));
  sigaltstack(NULL, &now);
  say("none: flags %x", now.ss_flags);
}

CONFORMANCE_MAIN
