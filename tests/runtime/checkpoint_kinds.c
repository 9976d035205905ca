/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets one family of kernel state up, takes a checkpoint, and prints what it finds afterwards. The lines are the same alone (where
 * the call does not exist), under the runtime, and in a process that was restored from the checkpoint.
 *
 *   checkpoint_kinds files | signals | timers | memory | process | sockets FOLDER
 *
 * FOLDER is empty and its own.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "libdsm/runtime/dsm_calls.h"
#include "tests/runtime/checkpoint_kinds.h"

const char *folder;

void checkpoint(void) {
  fflush(stdout);
  errno = 0;
  const long result = syscall(DSM_CALL_CHECKPOINT);
  if (result < 0 && errno != ENOSYS) printf("checkpoint: %s\n", strerror(errno));
}

void must(int good, const char *what) {
  if (good) return;
  perror(what);
  exit(1);
}

const char *in_folder(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

void show_bytes(const char *what, int fd) {
  char text[64] = {0};
  const ssize_t got = read(fd, text, sizeof text - 1);
  printf("%s: %zd \"%s\" %s\n", what, got, got > 0 ? text : "", got < 0 ? strerror(errno) : "");
}

void show_flags(const char *what, int fd) {
  const int kept = O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECTORY;
  printf("%s: flags %o, close on exec %d\n", what, fcntl(fd, F_GETFL) & kept, fcntl(fd, F_GETFD));
}

int open_text(const char *name, int flags, const char *text) {
  const int fd = open(in_folder(name), flags | O_CREAT, 0640);
  must(fd >= 0, name);
  must(write(fd, text, strlen(text)) == (ssize_t)strlen(text), name);
  return fd;
}

/* ---- signals ---------------------------------------------------------------------------------------------------- */
static volatile int handled, handled_value, on_alternate;
static char alternate[64 << 10];

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)context;
  char here;
  handled = number;
  handled_value = info->si_value.sival_int;
  on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
}

static void signals(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
  sigaddset(&action.sa_mask, SIGUSR2);
  must(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGRTMIN + 3, &action, NULL) == 0, "sigaction");
  signal(SIGHUP, SIG_IGN);
  const stack_t stack = {alternate, 0, sizeof alternate};
  must(sigaltstack(&stack, NULL) == 0, "sigaltstack");
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGRTMIN + 3);
  sigaddset(&blocked, SIGRTMIN + 4);
  must(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0, "sigprocmask");
  const union sigval one = {.sival_int = 1}, two = {.sival_int = 2};
  must(sigqueue(getpid(), SIGRTMIN + 4, one) == 0 && sigqueue(getpid(), SIGRTMIN + 4, two) == 0, "sigqueue");
  must(pthread_sigqueue(pthread_self(), SIGRTMIN + 3, two) == 0, "pthread_sigqueue");
  must(pthread_kill(pthread_self(), SIGUSR1) == 0 && kill(getpid(), SIGTERM) == 0, "kill");
  const int reader = signalfd(-1, &blocked, SFD_NONBLOCK);

  checkpoint();

  struct sigaction now;
  for (int number = 1; number < 65; number++)
    if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_DFL && number != 32 && number != 33)
      printf("action of %d: %s, flags %x, blocks USR2 %d\n", number, now.sa_handler == SIG_IGN ? "ignored" : "handler",
             (unsigned)now.sa_flags & ~0x04000000u, sigismember(&now.sa_mask, SIGUSR2));
  sigset_t mask;
  sigprocmask(SIG_SETMASK, NULL, &mask);
  printf("mask:");
  for (int number = 1; number < 65; number++)
    if (sigismember(&mask, number) == 1) printf(" %d", number);
  printf("\n");
  struct signalfd_siginfo seen;
  must(read(reader, &seen, sizeof seen) == sizeof seen, "signalfd");
  printf("signalfd: %u\n", seen.ssi_signo);
  sigset_t queued;
  sigemptyset(&queued);
  sigaddset(&queued, SIGRTMIN + 4);
  siginfo_t info;
  const struct timespec no_time = {0, 0};
  for (int i = 0; i < 3; i++) {
    const int number = sigtimedwait(&queued, &info, &no_time);
    printf("queued: %d value %d from me %d code %d\n", number, number > 0 ? info.si_value.sival_int : 0, number > 0 && info.si_pid == getpid(),
           number > 0 ? info.si_code : 0);
  }
  sigset_t open_again;
  sigemptyset(&open_again);
  sigaddset(&open_again, SIGRTMIN + 3);
  sigprocmask(SIG_UNBLOCK, &open_again, NULL);
  printf("handled %d value %d on the alternate stack %d\n", handled, handled_value, on_alternate);
  sigset_t pending;
  sigpending(&pending);
  printf("pending: TERM %d USR1 %d\n", sigismember(&pending, SIGTERM), sigismember(&pending, SIGUSR1));
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */
static volatile int timer_value;
static void on_timer(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)context;
  timer_value = info->si_value.sival_int;
}

static void timers(void) {
  struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
  must(sigaction(SIGUSR2, &action, NULL) == 0, "sigaction");
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
  timer_t discarded, first, second;
  event.sigev_value.sival_int = 11;
  must(timer_create(CLOCK_MONOTONIC, &event, &discarded) == 0, "timer_create");
  event.sigev_value.sival_int = 22;
  must(timer_create(CLOCK_MONOTONIC, &event, &first) == 0, "timer_create");
  event.sigev_value.sival_int = 33;
  must(timer_create(CLOCK_REALTIME, &event, &second) == 0, "timer_create");
  must(timer_delete(discarded) == 0, "timer_delete");
  const struct itimerspec long_time = {{0, 0}, {1000, 0}};
  must(timer_settime(second, 0, &long_time, NULL) == 0, "timer_settime");
  const struct itimerval interval = {{50, 0}, {2000, 0}};
  must(setitimer(ITIMER_REAL, &interval, NULL) == 0, "setitimer");
  const int disarmed = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), armed = timerfd_create(CLOCK_REALTIME, 0),
            expired = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const struct itimerspec later = {{7, 5}, {500, 0}}, at_once = {{0, 0}, {0, 1}};
  must(timerfd_settime(armed, 0, &later, NULL) == 0 && timerfd_settime(expired, 0, &at_once, NULL) == 0, "timerfd_settime");
  const struct timespec moment = {0, 2000000};
  nanosleep(&moment, NULL);

  checkpoint();

  struct itimerspec left;
  must(timer_gettime(second, &left) == 0, "timer_gettime");
  printf("second timer: between 900 and 1000 s left %d\n", left.it_value.tv_sec >= 900 && left.it_value.tv_sec <= 1000);
  must(timer_gettime(first, &left) == 0, "timer_gettime");
  printf("first timer: disarmed %d\n", left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
  const struct itimerspec soon = {{0, 0}, {0, 1000000}};
  must(timer_settime(first, 0, &soon, NULL) == 0, "timer_settime");
  for (int i = 0; i < 5000 && timer_value == 0; i++) nanosleep(&moment, NULL);
  printf("first timer: value %d\n", timer_value);
  struct itimerval now;
  getitimer(ITIMER_REAL, &now);
  printf("interval timer: %ld s, left %d\n", (long)now.it_interval.tv_sec, now.it_value.tv_sec > 1900);
  must(timerfd_gettime(armed, &left) == 0, "timerfd_gettime");
  printf("timerfd: interval %ld.%09ld, left %d\n", (long)left.it_interval.tv_sec, left.it_interval.tv_nsec, left.it_value.tv_sec >= 400);
  uint64_t ticks = 0;
  printf("expired timerfd: %zd", read(expired, &ticks, 8));
  printf(" %llu\n", (unsigned long long)ticks);
  const ssize_t got = read(disarmed, &ticks, 8);
  printf("disarmed timerfd: %zd %s\n", got, strerror(errno));
}

/* ---- process ------------------------------------------------------------------------------------------------------ */
static void process(void) {
  must(chdir(folder) == 0, "chdir");
  umask(027);
  const struct rlimit limit = {200, 400}, core = {0, 0};
  must(setrlimit(RLIMIT_NOFILE, &limit) == 0 && setrlimit(RLIMIT_CORE, &core) == 0, "setrlimit");
  must(setpriority(PRIO_PROCESS, 0, 19) == 0, "setpriority");
  must(prctl(PR_SET_NAME, "renamed") == 0, "name");
  const pid_t pid = getpid();
  const long tid = syscall(SYS_gettid);

  checkpoint();

  char path[4096], name[17] = {0};
  must(getcwd(path, sizeof path) != NULL, "getcwd");
  printf("folder: same %d\n", strcmp(path, folder) == 0);
  printf("umask %o\n", umask(0));
  struct rlimit now;
  must(getrlimit(RLIMIT_NOFILE, &now) == 0, "getrlimit");
  printf("files %lu %lu\n", (unsigned long)now.rlim_cur, (unsigned long)now.rlim_max);
  must(getrlimit(RLIMIT_CORE, &now) == 0, "getrlimit");
  printf("core %lu %lu\n", (unsigned long)now.rlim_cur, (unsigned long)now.rlim_max);
  printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
  prctl(PR_GET_NAME, name);
  printf("name %s\n", name);
  printf("pid %d, tid %d\n", getpid() == pid, syscall(SYS_gettid) == tid);
  FILE *file = fopen("/proc/self/cmdline", "r");
  memset(path, 0, sizeof path);
  must(file != NULL && fread(path, 1, sizeof path - 1, file) > 0, "cmdline");
  printf("arguments: %s\n", strlen(path) < sizeof path - 1 ? path + strlen(path) + 1 : "");
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  path[length > 0 ? length : 0] = 0;
  printf("exe: %s\n", strrchr(path, '/'));
  struct timespec clock_a, clock_b;
  clock_gettime(CLOCK_MONOTONIC, &clock_a);
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &clock_b);
  printf("vdso: %d\n", clock_b.tv_sec - clock_a.tv_sec <= 1);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } families[] = {{"files", files},   {"signals", signals}, {"timers", timers},
                  {"memory", memory}, {"process", process}, {"sockets", sockets}};
  if (argc != 3) return 2;
  folder = argv[2];
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
    if (strcmp(families[i].name, argv[1]) != 0) continue;
    families[i].run();
    return 0;
  }
  return 2;
}
