// SPDX-License-Identifier: Apache-2.0
// What the signal programs share: handlers that count, and signals that arrive while their thread is in a certain call.
#pragma once
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "conformance.h"

enum { kProbeSeconds = 15, kNsInMs = 1000000 };

static volatile sig_atomic_t g_hits;

__attribute__((unused)) static void count_hit(int signal) {
  (void)signal;
  g_hits++;
}

__attribute__((unused)) static void on(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  NEED(sigaction(signal, &action, NULL) == 0);
}

__attribute__((unused)) static void on_info(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
  NEED(sigaction(signal, &action, NULL) == 0);
}

__attribute__((unused)) static void mask_one(int how, int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  NEED(pthread_sigmask(how, &set, NULL) == 0);
}

__attribute__((unused)) static int is_blocked(int signal) {
  sigset_t now;
  NEED(pthread_sigmask(SIG_SETMASK, NULL, &now) == 0);
  return sigismember(&now, signal);
}

__attribute__((unused)) static int is_pending(int signal) {
  sigset_t waiting;
  NEED(sigpending(&waiting) == 0);
  return sigismember(&waiting, signal);
}

__attribute__((unused)) static pid_t own_tid(void) { return (pid_t)syscall(SYS_gettid); }

__attribute__((unused)) static void nap_ms(long ms) {
  struct timespec rest = {ms / 1000, ms % 1000 * kNsInMs};
  while (nanosleep(&rest, &rest) != 0) {
  }
}

__attribute__((unused)) static long now_ms(void) {
  struct timespec now;
  NEED(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return now.tv_sec * 1000 + now.tv_nsec / kNsInMs;
}

// Waits until the thread sleeps in system call `number`.
__attribute__((unused)) static void wait_until_in(pid_t tid, long number) {
  char path[64], line[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
  for (long until = now_ms() + kProbeSeconds * 1000; now_ms() < until; nap_ms(2)) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    NEED(fd >= 0);
    ssize_t got = read(fd, line, sizeof line - 1);
    close(fd);
    line[got > 0 ? got : 0] = 0;
    char* end;
    if (got > 0 && strtol(line, &end, 10) == number && end != line) return;
  }
  say("thread never slept in system call %ld", number);
  _exit(99);
}

// A second thread that sends `signal` to this one as soon as it sleeps in `number`, then calls `after`.
struct Poke {
  pid_t tid;
  int signal;
  long number;
  void (*after)(void*);
  void* argument;
  pthread_t thread;
};

static inline void* poke_main(void* argument) {
  struct Poke* poke = argument;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  wait_until_in(poke->tid, poke->number);
  if (poke->signal != 0) syscall(SYS_tgkill, getpid(), poke->tid, poke->signal);
  if (poke->after != NULL) {
    nap_ms(30);   // an interrupted call that waits again must be seen to do so
    wait_until_in(poke->tid, poke->number);
    poke->after(poke->argument);
  }
  return NULL;
}

// `after` is for calls that are made again; without one the call must end by the signal.
__attribute__((unused)) static void poke(struct Poke* poke, int signal, long number, void (*after)(void*), void* argument) {
  *poke = (struct Poke){own_tid(), signal, number, after, argument, 0};
  NEED(pthread_create(&poke->thread, NULL, poke_main, poke) == 0);
}

__attribute__((unused)) static void poke_end(struct Poke* poke) { NEED(pthread_join(poke->thread, NULL) == 0); }

__attribute__((unused)) static void write_byte(void* fd) { NEED(write(*(int*)fd, "x", 1) == 1); }
