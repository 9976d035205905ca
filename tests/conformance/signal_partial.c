// SPDX-License-Identifier: Apache-2.0
// Calls that have moved a part of their bytes when something interrupts them: a handler ends them with the part, anything
// else must not show.
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "signal_probe.h"

enum { kBig = 256 << 10, kPipeBytes = 64 << 10 };
static char g_big[kBig];

CASE(partial_write_on_pipe) {
  struct Poke by;
  int ends[2];
  on(SIGUSR1, count_hit, SA_RESTART);
  NEED(pipe(ends) == 0 && fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes) == kPipeBytes);
  poke(&by, SIGUSR1, SYS_write, NULL, NULL);
  ssize_t gave = write(ends[1], g_big, sizeof g_big);
  say("write gave %zd, handler ran %d", gave, g_hits);
  poke_end(&by);
}

CASE(partial_writev_on_pipe) {
  struct Poke by;
  int ends[2];
  on(SIGUSR1, count_hit, 0);
  NEED(pipe(ends) == 0 && fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes) == kPipeBytes);
  struct iovec parts[2] = {{g_big, kBig / 2}, {g_big, kBig / 2}};
  poke(&by, SIGUSR1, SYS_writev, NULL, NULL);
  ssize_t gave = writev(ends[1], parts, 2);
  say("writev gave %zd, handler ran %d", gave, g_hits);
  poke_end(&by);
}

CASE(partial_send) {
  struct Poke by;
  int ends[2];
  on(SIGUSR1, count_hit, SA_RESTART);
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  poke(&by, SIGUSR1, SYS_sendto, NULL, NULL);
  static char big[4 << 20];
  ssize_t sent = send(ends[0], big, sizeof big, 0);
  say("send gave %s, handler ran %d", sent > 0 && sent < (ssize_t)sizeof big ? "a part" : "something else", g_hits);
  poke_end(&by);
}

CASE(partial_recv_waitall) {
  struct Poke by;
  int ends[2];
  char bytes[100];
  on(SIGUSR1, count_hit, SA_RESTART);
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && write(ends[1], g_big, 40) == 40);
  poke(&by, SIGUSR1, SYS_recvfrom, NULL, NULL);
  ssize_t gave = recv(ends[0], bytes, sizeof bytes, MSG_WAITALL);
  say("recv gave %zd, handler ran %d", gave, g_hits);
  poke_end(&by);
}

CASE(partial_sendfile) {
  struct Poke by;
  int ends[2];
  on(SIGUSR1, count_hit, SA_RESTART);
  char path[] = "/tmp/dsm-file-XXXXXX";
  int file = mkstemp(path);
  unlink(path);
  NEED(write(file, g_big, sizeof g_big) == kBig && lseek(file, 0, SEEK_SET) == 0);
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && ftruncate(file, 4 << 20) == 0);
  poke(&by, SIGUSR1, SYS_sendfile, NULL, NULL);
  ssize_t sent = sendfile(ends[1], file, NULL, 4 << 20);
  say("sendfile gave %s, handler ran %d", sent > 0 && sent < 4 << 20 ? "a part" : "something else", g_hits);
  poke_end(&by);
}

// ---- Things that are none of the thread's business ------------------------------------------------------------------
static atomic_int g_stop;
static pid_t fork_once(void) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  NEED(child > 0 && waitpid(child, NULL, 0) == child);
  return child;
}

struct Transfer {
  int from, to;
  ssize_t moved;
};
static void* write_big(void* argument) {
  struct Transfer* transfer = argument;
  for (int i = 0; i < 20; i++) {
    ssize_t gave = write(transfer->to, g_big, sizeof g_big);
    if (gave != kBig) {
      say("write gave %zd", gave);
      break;
    }
    transfer->moved += gave;
  }
  close(transfer->to);
  return NULL;
}
static void* drain_slowly(void* argument) {
  struct Transfer* transfer = argument;
  char some[16 << 10];
  ssize_t got;
  while ((got = read(transfer->from, some, sizeof some)) > 0) transfer->moved += got;
  if (got < 0) say("read gave %s", strerrorname_np(errno));
  return NULL;
}

CASE(partial_write_beside_forks) {
  int ends[2];
  pthread_t writer, reader;
  NEED(pipe(ends) == 0);
  struct Transfer out = {-1, ends[1], 0}, in = {ends[0], -1, 0};
  NEED(pthread_create(&writer, NULL, write_big, &out) == 0 && pthread_create(&reader, NULL, drain_slowly, &in) == 0);
  for (int i = 0; i < 5; i++) fork_once();
  pthread_join(writer, NULL);
  pthread_join(reader, NULL);
  say("wrote %zd, read %zd", out.moved, in.moved);
}

static void* poll_long(void* result) {
  long start = now_ms();
  *(int*)result = poll(NULL, 0, 1500);
  if (*(int*)result != 0) say("poll gave %s", strerrorname_np(errno));
  long took = now_ms() - start;
  say("poll took %s", took < 1500 ? "too short" : took < 6000 ? "its time" : "too long");
  atomic_store(&g_stop, 1);
  return NULL;
}
CASE(partial_poll_beside_forks) {
  pthread_t sleeper;
  int result = -1;
  NEED(pthread_create(&sleeper, NULL, poll_long, &result) == 0);
  while (!atomic_load(&g_stop)) fork_once();
  pthread_join(sleeper, NULL);
  say("result %d", result);
}

// SIGCONT without a handler means nothing to a process that runs.
static pthread_t g_target;
static void* continue_often(void* unused) {
  while (!atomic_load(&g_stop)) {
    pthread_kill(g_target, SIGCONT);
    nap_ms(3);
  }
  return unused;
}
static void* take_slowly(void* fd) {
  static char some[8 << 10];
  ssize_t got, all = 0;
  while ((got = read(*(int*)fd, some, sizeof some)) > 0) {
    all += got;
    nap_ms(5);
  }
  say("took %zd", all);
  return NULL;
}
static void among_continue_signals(int ends[2], ssize_t (*move)(int)) {
  pthread_t by, taker;
  g_target = pthread_self();
  NEED(pthread_create(&by, NULL, continue_often, NULL) == 0 && pthread_create(&taker, NULL, take_slowly, &ends[0]) == 0);
  ssize_t gave = move(ends[1]);
  close(ends[1]);
  atomic_store(&g_stop, 1);
  pthread_join(by, NULL);
  pthread_join(taker, NULL);
  say("gave %zd", gave);
}
static ssize_t write_all_at_once(int fd) { return write(fd, g_big, sizeof g_big); }
static ssize_t send_all_at_once(int fd) { return send(fd, g_big, sizeof g_big, 0); }
CASE(partial_write_among_continue_signals) {
  int ends[2];
  NEED(pipe(ends) == 0);
  among_continue_signals(ends, write_all_at_once);
}
CASE(partial_send_among_continue_signals) {
  int ends[2], small = 4096;
  NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  NEED(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
  among_continue_signals(ends, send_all_at_once);
}

// The whole process is stopped and goes on while a call with a time limit waits: from a child, five times.
static void stop_and_go(int times) {
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < times; i++) {
      nap_ms(150);
      kill(getppid(), SIGSTOP);
      nap_ms(150);
      kill(getppid(), SIGCONT);
    }
    _exit(0);
  }
  NEED(child > 0);
}
static const char* duration(long start, long least) {
  long took = now_ms() - start;
  return took < least ? "too short" : took < least + 5000 ? "its time" : "too long";
}
CASE(partial_nanosleep_over_stops) {
  stop_and_go(3);
  long start = now_ms();
  struct timespec rest = {2, 0};
  int result = nanosleep(&rest, NULL);
  say("nanosleep %s, %s", outcome(result), duration(start, 2000));
}
CASE(partial_poll_over_stops) {
  stop_and_go(3);
  long start = now_ms();
  int result = poll(NULL, 0, 2000);
  say("poll %s, %s", outcome(result), duration(start, 2000));
}
CASE(partial_read_over_stops) {
  int ends[2];
  char byte;
  NEED(pipe(ends) == 0);
  stop_and_go(3);
  if (fork() == 0) {
    nap_ms(2000);
    _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
  }
  say("read gave %zd", read(ends[0], &byte, 1));
}

CONFORMANCE_MAIN
