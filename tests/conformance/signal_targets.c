// SPDX-License-Identifier: Apache-2.0
// Which thread gets a signal, timers, threads that are signalled or cancelled in every kind of wait, and job control.
#include <semaphore.h>
#include <sys/time.h>

#include "signal_probe.h"

enum { kStormSignals = 300, kStormThreads = 4 };

static atomic_int g_ready, g_done, g_counted;
static void wait_for(atomic_int* value, int wanted) {
  for (long until = now_ms() + kProbeSeconds * 1000; atomic_load(value) < wanted; nap_ms(1))
    if (now_ms() > until) {
      say("count is %d, not %d", atomic_load(value), wanted);
      _exit(98);
    }
}
static void count_atomically(int signal) {
  (void)signal;
  atomic_fetch_add(&g_counted, 1);
}

// ---- Whom a signal of the process reaches -------------------------------------------------------------------------------
static volatile pid_t g_taker;
static void note_taker(int signal) {
  (void)signal;
  g_taker = own_tid();
  atomic_fetch_add(&g_counted, 1);
}
static void* compute_unblocked(void* unused) {
  mask_one(SIG_UNBLOCK, SIGUSR1);
  atomic_store(&g_ready, own_tid());
  while (!atomic_load(&g_done)) {
  }
  return unused;
}
CASE(target_computing_thread_that_has_it_unblocked) {
  pthread_t other;
  on(SIGUSR1, note_taker, 0);
  mask_one(SIG_BLOCK, SIGUSR1);
  NEED(pthread_create(&other, NULL, compute_unblocked, NULL) == 0);
  wait_for(&g_ready, 1);
  for (int i = 1; i <= 10; i++) {
    kill(getpid(), SIGUSR1);
    wait_for(&g_counted, i);
  }
  atomic_store(&g_done, 1);
  pthread_join(other, NULL);
  // The kernel asks the main thread first, which has blocked it only where the case runs in it.
  const pid_t expected = own_tid() == getpid() ? atomic_load(&g_ready) : getpid();
  say("ran %d, in %s", atomic_load(&g_counted), g_taker == expected ? "the right thread" : "another");
}

static void* wait_in_sigwait(void* signal) {
  sigset_t set;
  int got;
  sigemptyset(&set);
  sigaddset(&set, *(int*)signal);
  for (int i = 0; i < 5; i++) {
    NEED(sigwait(&set, &got) == 0);
    atomic_fetch_add(&g_counted, 1);
  }
  return NULL;
}
CASE(target_thread_in_sigwait) {
  pthread_t other;
  int signal = SIGUSR2;
  mask_one(SIG_BLOCK, SIGUSR2);
  NEED(pthread_create(&other, NULL, wait_in_sigwait, &signal) == 0);
  for (int i = 1; i <= 5; i++) {
    pthread_kill(other, SIGUSR2);
    wait_for(&g_counted, i);
  }
  pthread_join(other, NULL);
  say("got %d", atomic_load(&g_counted));
}

static void* end_at_once(void* tid) {
  *(pid_t*)tid = own_tid();
  return NULL;
}
CASE(target_gone) {
  pthread_t other;
  pid_t tid = 0;
  NEED(pthread_create(&other, NULL, end_at_once, &tid) == 0);
  pthread_join(other, NULL);
  long result = 0;
  for (long until = now_ms() + 5000; now_ms() < until && (result = syscall(SYS_tgkill, getpid(), tid, 0)) == 0;) nap_ms(1);
  say("tgkill %s", outcome(result));
  say("wrong group %s", outcome(syscall(SYS_tgkill, 1, own_tid(), 0)));
  say("bad signal %s", outcome(syscall(SYS_tgkill, getpid(), own_tid(), 65)));
  say("nothing %s", outcome(syscall(SYS_tgkill, getpid(), own_tid(), 0)));
}

CASE(target_group) {
  NEED(setpgid(0, 0) == 0 || errno == EPERM);
  on(SIGUSR1, count_atomically, SA_RESTART);
  pid_t child = fork();
  if (child == 0) {
    NEED(kill(0, SIGUSR1) == 0);
    _exit(atomic_load(&g_counted));
  }
  int status;
  NEED(waitpid(child, &status, 0) == child);
  wait_for(&g_counted, 1);
  say("child %d, here %d", WEXITSTATUS(status), atomic_load(&g_counted));
}

// ---- Threads in every state ---------------------------------------------------------------------------------------------
static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_condition = PTHREAD_COND_INITIALIZER;
static sem_t g_semaphore;
static int g_pipe[2];
static void* live(void* how) {
  char byte;
  atomic_fetch_add(&g_ready, 1);
  switch (*(int*)how) {
    case 0:
      while (!atomic_load(&g_done)) {
      }
      break;
    case 1: NEED(read(g_pipe[0], &byte, 1) == 1); break;
    case 2:
      pthread_mutex_lock(&g_mutex);
      while (!atomic_load(&g_done)) pthread_cond_wait(&g_condition, &g_mutex);
      pthread_mutex_unlock(&g_mutex);
      break;
    case 3:
      while (sem_wait(&g_semaphore) != 0) {
      }
      break;
    case 4:
      while (!atomic_load(&g_done)) usleep(200000);
      break;
  }
  return NULL;
}
static void signal_thread_that_is(int how) {
  pthread_t other;
  on(SIGUSR1, count_atomically, SA_RESTART);
  NEED(pipe(g_pipe) == 0 && sem_init(&g_semaphore, 0, 0) == 0);
  NEED(pthread_create(&other, NULL, live, &how) == 0);
  wait_for(&g_ready, 1);
  for (int i = 1; i <= 50; i++) {
    NEED(pthread_kill(other, SIGUSR1) == 0);
    wait_for(&g_counted, i);
  }
  pthread_mutex_lock(&g_mutex);
  atomic_store(&g_done, 1);
  pthread_cond_signal(&g_condition);
  pthread_mutex_unlock(&g_mutex);
  write_byte(&g_pipe[1]);
  sem_post(&g_semaphore);
  pthread_join(other, NULL);
  say("ran %d", atomic_load(&g_counted));
}
CASE(target_computing) { signal_thread_that_is(0); }
CASE(target_reading) { signal_thread_that_is(1); }
CASE(target_in_condition) { signal_thread_that_is(2); }
CASE(target_in_semaphore) { signal_thread_that_is(3); }
CASE(target_sleeping) { signal_thread_that_is(4); }

static void cancel_thread_that_is(int how) {
  pthread_t other;
  void* result;
  NEED(pipe(g_pipe) == 0 && sem_init(&g_semaphore, 0, 0) == 0);
  NEED(pthread_create(&other, NULL, live, &how) == 0);
  wait_for(&g_ready, 1);
  nap_ms(20);
  NEED(pthread_cancel(other) == 0 && pthread_join(other, &result) == 0);
  say("%s", result == PTHREAD_CANCELED ? "cancelled" : "ended");
}
CASE(cancel_reading) { cancel_thread_that_is(1); }
CASE(cancel_in_condition) { cancel_thread_that_is(2); }
CASE(cancel_in_semaphore) { cancel_thread_that_is(3); }
CASE(cancel_sleeping) { cancel_thread_that_is(4); }
static void* compute_for_ever(void* unused) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  atomic_fetch_add(&g_ready, 1);
  while (unused == NULL) {
  }
  return NULL;
}
CASE(cancel_computing) {
  pthread_t other;
  void* result;
  NEED(pthread_create(&other, NULL, compute_for_ever, NULL) == 0);
  wait_for(&g_ready, 1);
  NEED(pthread_cancel(other) == 0 && pthread_join(other, &result) == 0);
  say("%s", result == PTHREAD_CANCELED ? "cancelled" : "ended");
}

// Real-time signals are never lost and never merged, whatever the threads do meanwhile.
static atomic_int g_got[kStormThreads];
static _Thread_local int t_number = -1;
static _Thread_local int t_last = -1;
static atomic_int g_out_of_order;
static void count_storm(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  if (t_number < 0) return;
  if (info->si_value.sival_int != t_last + 1) atomic_fetch_add(&g_out_of_order, 1);
  t_last = info->si_value.sival_int;
  atomic_fetch_add(&g_got[t_number], 1);
}
static void* weather(void* number) {
  t_number = *(int*)number;
  atomic_fetch_add(&g_ready, 1);
  volatile double x = 1;
  for (unsigned i = 0; !atomic_load(&g_done); i++) {
    switch ((i + (unsigned)t_number) % 6) {
      case 0: usleep(100); break;
      case 1: getppid(); break;
      case 2: mask_one(SIG_BLOCK, SIGRTMIN + 1); x = x * 1.5; mask_one(SIG_UNBLOCK, SIGRTMIN + 1); break;
      case 3: poll(NULL, 0, 1); break;
      case 4: free(malloc(1000)); break;
      default: for (int k = 0; k < 2000; k++) x = x / 1.0001;
    }
  }
  return NULL;
}
CASE(storm_of_real_time_signals) {
  pthread_t thread[kStormThreads];
  int number[kStormThreads];
  on_info(SIGRTMIN + 1, count_storm, SA_RESTART);
  for (int i = 0; i < kStormThreads; i++) {
    number[i] = i;
    NEED(pthread_create(&thread[i], NULL, weather, &number[i]) == 0);
  }
  wait_for(&g_ready, kStormThreads);
  for (int i = 0; i < kStormSignals; i++)
    for (int k = 0; k < kStormThreads; k++) {
      union sigval value = {.sival_int = i};
      while (pthread_sigqueue(thread[k], SIGRTMIN + 1, value) != 0) nap_ms(1);
    }
  for (int k = 0; k < kStormThreads; k++) wait_for(&g_got[k], kStormSignals);
  atomic_store(&g_done, 1);
  for (int k = 0; k < kStormThreads; k++) pthread_join(thread[k], NULL);
  for (int k = 0; k < kStormThreads; k++) say("got %d", g_got[k]);
  say("out of order %d", g_out_of_order);
}

// ---- Timers -------------------------------------------------------------------------------------------------------------
CASE(timer_alarm) {
  on(SIGALRM, count_hit, 0);
  say("before %d", alarm(0) != 0);
  alarm(1);
  for (long until = now_ms() + kProbeSeconds * 1000; g_hits == 0 && now_ms() < until;) nap_ms(5);
  alarm(100);
  say("left %u, ran %d", alarm(0), g_hits);
}
CASE(timer_interval) {
  on(SIGALRM, count_atomically, SA_RESTART);
  struct itimerval each = {{0, 20000}, {0, 20000}}, now;
  NEED(setitimer(ITIMER_REAL, &each, NULL) == 0);
  wait_for(&g_counted, 5);
  NEED(getitimer(ITIMER_REAL, &now) == 0);
  say("interval %ld", (long)now.it_interval.tv_usec);
}
static void posix_timer(int notify, pid_t tid) {
  timer_t timer;
  on(SIGRTMIN + 4, note_taker, SA_RESTART);
  struct sigevent event = {.sigev_notify = notify, .sigev_signo = SIGRTMIN + 4};
  event._sigev_un._tid = tid;
  NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  struct itimerspec each = {{0, 10 * kNsInMs}, {0, 10 * kNsInMs}};
  NEED(timer_settime(timer, 0, &each, NULL) == 0);
  wait_for(&g_counted, 5);
  NEED(timer_delete(timer) == 0);
  if (tid) say("in %s", g_taker == tid ? "the right thread" : "another");
  say("enough");
}
CASE(timer_to_process) { posix_timer(SIGEV_SIGNAL, 0); }
CASE(timer_to_thread) { posix_timer(SIGEV_THREAD_ID, own_tid()); }
static void run_by_timer(union sigval value) { atomic_fetch_add((atomic_int*)value.sival_ptr, 1); }
CASE(timer_makes_thread) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = run_by_timer, .sigev_value.sival_ptr = &g_counted};
  NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  struct itimerspec each = {{0, 30 * kNsInMs}, {0, 30 * kNsInMs}};
  NEED(timer_settime(timer, 0, &each, NULL) == 0);
  wait_for(&g_counted, 3);
  NEED(timer_delete(timer) == 0);
  say("enough");
}
CASE(timer_overrun) {
  timer_t timer;
  siginfo_t info;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
  event._sigev_un._tid = own_tid();
  NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  struct itimerspec each = {{0, kNsInMs}, {0, kNsInMs}};
  NEED(timer_settime(timer, 0, &each, NULL) == 0);
  nap_ms(50);
  NEED(sigwaitinfo(&set, &info) == SIGUSR2);
  say("code %d, overrun %s", info.si_code, info.si_overrun > 5 ? "counted" : "not counted");
}

// ---- Job control --------------------------------------------------------------------------------------------------------
// A child stops this process for two seconds; a thread that measures its own gaps sees that it was still.
static void* longest_gap(void* result) {
  long last = now_ms(), longest = 0;
  while (!atomic_load(&g_done)) {
    long now = now_ms();
    if (now - last > longest) longest = now - last;
    last = now;
  }
  *(long*)result = longest;
  return NULL;
}
CASE(job_stop_stops_all_threads) {
  pthread_t other;
  long longest = 0;
  NEED(pthread_create(&other, NULL, longest_gap, &longest) == 0);
  pid_t child = fork();
  if (child == 0) {
    nap_ms(200);
    kill(getppid(), SIGSTOP);
    nap_ms(2000);
    kill(getppid(), SIGCONT);
    _exit(0);
  }
  NEED(waitpid(child, NULL, 0) == child);
  nap_ms(100);
  atomic_store(&g_done, 1);
  pthread_join(other, NULL);
  say("%s", longest >= 1000 ? "stood still" : "went on");
}
CASE(job_continue_handler) {
  on(SIGCONT, count_atomically, SA_RESTART);
  pid_t child = fork();
  if (child == 0) {
    kill(getppid(), SIGSTOP);
    nap_ms(100);
    kill(getppid(), SIGCONT);
    _exit(0);
  }
  NEED(waitpid(child, NULL, 0) == child);
  wait_for(&g_counted, 1);
  say("ran %d", atomic_load(&g_counted));
}
CASE(job_terminal_stop_caught) {
  on(SIGTSTP, count_atomically, SA_RESTART);
  raise(SIGTSTP);
  say("ran %d", atomic_load(&g_counted));
  signal(SIGTSTP, SIG_IGN);
  raise(SIGTSTP);
  signal(SIGTTIN, SIG_IGN);
  raise(SIGTTIN);
  say("went on");
}

CONFORMANCE_MAIN
