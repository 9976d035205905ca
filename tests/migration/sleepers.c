// SPDX-License-Identifier: Apache-2.0
// Threads that sleep, each in another system call: some until a byte comes, some for a time. What they got is printed at the end, in
// the order of the threads: the same whatever happens to them meanwhile.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kSleepSeconds = 6 };   // long enough for a node to be drained meanwhile

static void need(int good, const char* what) {
  if (good) return;
  fprintf(stderr, "sleepers: %s: error %d\n", what, errno);
  exit(1);
}

static double now(void) {
  struct timespec t;
  need(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock_gettime");
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

typedef long Sleep(int fd);

static long in_read(int fd) {
  char byte = 0;
  return read(fd, &byte, 1) == 1 ? byte : -errno;
}
static long in_poll(int fd) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  return poll(&one, 1, -1) == 1 ? in_read(fd) : -errno;
}
static long in_epoll(int fd) {
  int set = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
  need(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
  return epoll_wait(set, &event, 1, -1) == 1 ? in_read(event.data.fd) : -errno;
}
static long in_nanosleep(int fd) {
  (void)fd;
  struct timespec time = {.tv_sec = kSleepSeconds};
  return nanosleep(&time, NULL);
}
static long in_poll_for_a_time(int fd) {
  (void)fd;
  return poll(NULL, 0, kSleepSeconds * 1000);
}
static long in_epoll_for_a_time(int fd) {
  (void)fd;
  int set = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event;
  return epoll_wait(set, &event, 1, kSleepSeconds * 1000);
}
static long in_select_for_a_time(int fd) {
  (void)fd;
  struct timeval time = {.tv_sec = kSleepSeconds};
  return select(0, NULL, NULL, NULL, &time);
}
static long in_sigtimedwait(int fd) {
  (void)fd;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  struct timespec time = {.tv_sec = kSleepSeconds};
  return sigtimedwait(&set, NULL, &time) == -1 ? -errno : 0;
}
static long in_futex_for_a_time(int fd) {
  (void)fd;
  static int word;
  struct timespec time = {.tv_sec = kSleepSeconds};
  return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &time, NULL, 0) == -1 ? -errno : 0;
}

static struct Sleeper {
  const char* name;
  Sleep* sleep;
  int waits_for_byte;
  int fd[2];
  pthread_t thread;
  long result;
  double seconds;
} g_sleepers[] = {
    {.name = "read", .sleep = in_read, .waits_for_byte = 1},
    {.name = "poll", .sleep = in_poll, .waits_for_byte = 1},
    {.name = "epoll_wait", .sleep = in_epoll, .waits_for_byte = 1},
    {.name = "nanosleep", .sleep = in_nanosleep},
    {.name = "poll with a limit", .sleep = in_poll_for_a_time},
    {.name = "epoll_wait with a limit", .sleep = in_epoll_for_a_time},
    {.name = "select with a limit", .sleep = in_select_for_a_time},
    {.name = "sigtimedwait", .sleep = in_sigtimedwait},
    {.name = "futex with a limit", .sleep = in_futex_for_a_time},
};
enum { kSleepers = sizeof g_sleepers / sizeof g_sleepers[0] };

static void* run(void* argument) {
  struct Sleeper* self = argument;
  double begin = now();
  self->result = self->sleep(self->fd[0]);
  self->seconds = now() - begin;
  return NULL;
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  need(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0, "pthread_sigmask");
  double begin = now();
  for (int i = 0; i < kSleepers; i++) {
    need(pipe2(g_sleepers[i].fd, O_CLOEXEC) == 0, "pipe2");
    need(pthread_create(&g_sleepers[i].thread, NULL, run, &g_sleepers[i]) == 0, "pthread_create");
  }
  while (now() - begin < kSleepSeconds) usleep(10000);
  for (int i = 0; i < kSleepers; i++) {
    char byte = (char)('a' + i);
    if (g_sleepers[i].waits_for_byte) need(write(g_sleepers[i].fd[1], &byte, 1) == 1, "write");
  }
  for (int i = 0; i < kSleepers; i++) {
    struct Sleeper* s = &g_sleepers[i];
    need(pthread_join(s->thread, NULL) == 0, "pthread_join");
    // A limit that began anew with each interruption would be far over; a busy machine is late, too, but not that much.
    int in_time = s->waits_for_byte || (s->seconds >= kSleepSeconds && s->seconds < 1.5 * kSleepSeconds);
    printf("%s: %ld, %s\n", s->name, s->result, in_time ? "in time" : "NOT IN TIME");
    if (!in_time) fprintf(stderr, "sleepers: %s took %.3f s\n", s->name, s->seconds);
  }
  return 0;
}
