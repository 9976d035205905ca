// SPDX-License-Identifier: Apache-2.0
// Which calls a handler interrupts for good and which are made again (signal(7)), and with what time limit.
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "signal_probe.h"

static int g_pipe[2];

static void report(const char* call, long result) { say("%s: %s %ld, handler ran %d", call, outcome(result), result, g_hits); }

static void read_with(int flags) {
  struct Poke by;
  char byte;
  on(SIGUSR1, count_hit, flags);
  NEED(pipe(g_pipe) == 0);
  poke(&by, SIGUSR1, SYS_read, flags & SA_RESTART ? write_byte : NULL, &g_pipe[1]);
  report("read", read(g_pipe[0], &byte, 1));
  poke_end(&by);
}
CASE(restart_read) { read_with(SA_RESTART); }
CASE(restart_read_without_flag) { read_with(0); }

static void add_writer(void* path) {
  int fd = open(path, O_WRONLY);
  NEED(fd >= 0);
}
static void open_with(int flags) {
  struct Poke by;
  on(SIGUSR1, count_hit, flags);
  char path[64];
  snprintf(path, sizeof path, "/tmp/dsm-fifo-%d", getpid());
  NEED(mkfifo(path, 0600) == 0);
  poke(&by, SIGUSR1, SYS_openat, flags & SA_RESTART ? add_writer : NULL, path);
  int fd = open(path, O_RDONLY);
  unlink(path);
  say("open %s, handler ran %d", outcome(fd), g_hits);
  poke_end(&by);
}
CASE(restart_open_of_fifo) { open_with(SA_RESTART); }
CASE(restart_open_without_flag) { open_with(0); }

static void connect_to(void* fds) {
  struct sockaddr_un address;
  socklen_t size = sizeof address;
  NEED(getsockname(((int*)fds)[0], (void*)&address, &size) == 0);
  NEED(connect(((int*)fds)[1], (void*)&address, size) == 0);
}
static void accept_with(int flags) {
  struct Poke by;
  on(SIGUSR1, count_hit, flags);
  int fds[2] = {socket(AF_UNIX, SOCK_STREAM, 0), socket(AF_UNIX, SOCK_STREAM, 0)};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  NEED(bind(fds[0], (void*)&address, sizeof address.sun_family) == 0 && listen(fds[0], 4) == 0);   // a name of the kernel's
  poke(&by, SIGUSR1, SYS_accept, flags & SA_RESTART ? connect_to : NULL, fds);
  int fd = accept(fds[0], NULL, NULL);
  say("accept %s, handler ran %d", outcome(fd), g_hits);
  poke_end(&by);
}
CASE(restart_accept) { accept_with(SA_RESTART); }
CASE(restart_accept_without_flag) { accept_with(0); }

static void receive_with(int flags, int limit_seconds) {
  struct Poke by;
  on(SIGUSR1, count_hit, flags);
  int ends[2];
  char byte;
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  struct timeval limit = {limit_seconds, 0};
  if (limit_seconds) NEED(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  poke(&by, SIGUSR1, SYS_recvfrom, flags & SA_RESTART && !limit_seconds ? write_byte : NULL, &ends[1]);
  report("recv", recv(ends[0], &byte, 1, 0));
  poke_end(&by);
}
CASE(restart_recv) { receive_with(SA_RESTART, 0); }
CASE(restart_recv_without_flag) { receive_with(0, 0); }
CASE(restart_recv_with_limit) { receive_with(SA_RESTART, 10); }

CASE(restart_send_with_limit) {
  struct Poke by;
  on(SIGUSR1, count_hit, SA_RESTART);
  int ends[2];
  static char big[4 << 20];
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  NEED(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  while (write(ends[0], big, sizeof big) > 0) {
  }
  NEED(fcntl(ends[0], F_SETFL, 0) == 0);
  struct timeval limit = {10, 0};
  NEED(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
  poke(&by, SIGUSR1, SYS_sendto, NULL, NULL);
  report("send", send(ends[0], big, sizeof big, 0));
  poke_end(&by);
}

CASE(restart_poll) {
  struct Poke by;
  on(SIGUSR1, count_hit, SA_RESTART);
  poke(&by, SIGUSR1, SYS_poll, NULL, NULL);
  report("poll", syscall(SYS_poll, NULL, 0, -1));
  poke_end(&by);
}

CASE(restart_select) {
  struct Poke by;
  on(SIGUSR1, count_hit, SA_RESTART);
  struct timeval limit = {12, 0};
  poke(&by, SIGUSR1, SYS_select, NULL, NULL);
  report("select", syscall(SYS_select, 0, NULL, NULL, NULL, &limit));
  say("time is %s", limit.tv_sec < 12 ? "what was left" : "as given");
  poke_end(&by);
}

CASE(restart_epoll_wait) {
  struct Poke by;
  struct epoll_event event;
  on(SIGUSR1, count_hit, SA_RESTART);
  int fd = epoll_create1(0);
  poke(&by, SIGUSR1, SYS_epoll_wait, NULL, NULL);
  report("epoll_wait", epoll_wait(fd, &event, 1, -1));
  poke_end(&by);
}

CASE(restart_pause) {
  struct Poke by;
  on(SIGUSR1, count_hit, SA_RESTART);
  poke(&by, SIGUSR1, SYS_pause, NULL, NULL);
  report("pause", syscall(SYS_pause));
  poke_end(&by);
}

static void* signal_later(void* thread) {
  nap_ms(300);   // in the middle of a sleep of seconds
  pthread_kill(*(pthread_t*)thread, SIGUSR1);
  return NULL;
}
static void sleep_with(int flags) {
  on(SIGUSR1, count_hit, flags);
  pthread_t self = pthread_self(), by;
  NEED(pthread_create(&by, NULL, signal_later, &self) == 0);
  struct timespec rest = {12, 0};
  report("nanosleep", syscall(SYS_nanosleep, &rest, &rest));
  say("%s", rest.tv_sec >= 9 && rest.tv_sec < 12 ? "most is left" : "wrong remainder");
  pthread_join(by, NULL);
}
CASE(restart_nanosleep) { sleep_with(SA_RESTART); }
CASE(restart_nanosleep_without_flag) { sleep_with(0); }

CASE(restart_clock_nanosleep_absolute) {
  on(SIGUSR1, count_hit, SA_RESTART);
  pthread_t self = pthread_self(), by;
  NEED(pthread_create(&by, NULL, signal_later, &self) == 0);
  struct timespec until, rest = {77, 77};
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += 12;
  const int error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &rest);
  say("gives %s", strerrorname_np(error));
  say("remainder %s, handler ran %d", rest.tv_sec == 77 ? "untouched" : "written", g_hits);
  pthread_join(by, NULL);
}

static atomic_int g_word;
static void wake_word(void* unused) {
  (void)unused;
  atomic_store(&g_word, 1);
  syscall(SYS_futex, &g_word, FUTEX_WAKE, 1);
}
CASE(restart_futex_wait) {
  struct Poke by;
  on(SIGUSR1, count_hit, SA_RESTART);
  poke(&by, SIGUSR1, SYS_futex, wake_word, NULL);
  report("futex", syscall(SYS_futex, &g_word, FUTEX_WAIT, 0, NULL));
  poke_end(&by);
}
CASE(restart_futex_wait_without_flag) {
  struct Poke by;
  on(SIGUSR1, count_hit, 0);
  poke(&by, SIGUSR1, SYS_futex, NULL, NULL);
  report("futex", syscall(SYS_futex, &g_word, FUTEX_WAIT, 0, NULL));
  poke_end(&by);
}
CASE(restart_futex_wait_with_limit) {
  struct Poke by;
  struct timespec limit = {12, 0};
  on(SIGUSR1, count_hit, SA_RESTART);
  poke(&by, SIGUSR1, SYS_futex, NULL, NULL);
  report("futex", syscall(SYS_futex, &g_word, FUTEX_WAIT, 0, &limit));
  poke_end(&by);
}

CASE(restart_sigtimedwait) {
  struct Poke by;
  on(SIGUSR1, count_hit, SA_RESTART);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  struct timespec limit = {12, 0};
  poke(&by, SIGUSR1, SYS_rt_sigtimedwait, NULL, NULL);
  report("sigtimedwait", sigtimedwait(&set, NULL, &limit));
  poke_end(&by);
}

static void end_child(void* pid) { kill(*(pid_t*)pid, SIGKILL); }
static void wait_with(int flags) {
  struct Poke by;
  on(SIGUSR1, count_hit, flags);
  pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  poke(&by, SIGUSR1, SYS_wait4, flags & SA_RESTART ? end_child : NULL, &child);
  pid_t got = waitpid(child, NULL, 0);
  say("waitpid %s, handler ran %d", outcome(got), g_hits);
  poke_end(&by);
  kill(child, SIGKILL);
}
CASE(restart_waitpid) { wait_with(SA_RESTART); }
CASE(restart_waitpid_without_flag) { wait_with(0); }

static void unlock_file(void* fd) { flock(*(int*)fd, LOCK_UN); }
static void lock_with(int flags) {
  struct Poke by;
  char path[] = "/tmp/dsm-lock-XXXXXX";
  on(SIGUSR1, count_hit, flags);
  int holder = mkstemp(path), waiter = open(path, O_RDWR);
  unlink(path);
  NEED(flock(holder, LOCK_EX) == 0);
  poke(&by, SIGUSR1, SYS_flock, flags & SA_RESTART ? unlock_file : NULL, &holder);
  report("flock", flock(waiter, LOCK_EX));
  poke_end(&by);
}
CASE(restart_flock) { lock_with(SA_RESTART); }
CASE(restart_flock_without_flag) { lock_with(0); }

CASE(restart_semop) {
  struct Poke by;
  on(SIGUSR1, count_hit, SA_RESTART);
  int id = semget(IPC_PRIVATE, 1, 0600);
  struct sembuf down = {0, -1, 0};
  poke(&by, SIGUSR1, SYS_semop, NULL, NULL);
  long result = syscall(SYS_semop, id, &down, 1);
  report("semop", result);
  poke_end(&by);
  semctl(id, 0, IPC_RMID);
}

CASE(restart_msgrcv) {
  struct Poke by;
  struct {
    long type;
    char text[8];
  } message;
  on(SIGUSR1, count_hit, SA_RESTART);
  int id = msgget(IPC_PRIVATE, 0600);
  poke(&by, SIGUSR1, SYS_msgrcv, NULL, NULL);
  report("msgrcv", msgrcv(id, &message, sizeof message.text, 0, 0));
  poke_end(&by);
  msgctl(id, IPC_RMID, NULL);
}

CASE(restart_not_for_ignored_signal) {
  struct Poke by;
  char byte;
  signal(SIGUSR1, SIG_IGN);
  NEED(pipe(g_pipe) == 0);
  poke(&by, SIGUSR1, SYS_read, write_byte, &g_pipe[1]);
  report("read", read(g_pipe[0], &byte, 1));
  poke_end(&by);
}

CASE(restart_not_for_sigchld_by_default) {
  struct Poke by;
  NEED(pipe(g_pipe) == 0);
  struct pollfd one = {g_pipe[0], POLLIN, 0};
  poke(&by, SIGCHLD, SYS_poll, write_byte, &g_pipe[1]);
  report("poll", syscall(SYS_poll, &one, 1, 10000));
  poke_end(&by);
}

CONFORMANCE_MAIN
