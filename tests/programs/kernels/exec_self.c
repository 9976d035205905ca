// SPDX-License-Identifier: Apache-2.0
// A program that replaces itself: three images one after another in one process, the second
// started from a thread that is not the first. The process id, the environment, an open file, its
// offset and the signal mask must come through; other threads must not; every image runs threads.
//
//   exec_self [work] [stage]
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "selfcheck.h"

enum { kThreads = 4, kLastStage = 2 };

static long g_work;
static char** g_next_argv;

static void* run(void* argument) { return (void*)compute((uint64_t)argument, g_work); }

static uint64_t run_threads(long stage) {
  pthread_t ids[kThreads];
  uint64_t hash = 0;
  for (long t = 0; t < kThreads; t++)
    CHECK_ZERO(pthread_create(&ids[t], NULL, run, (void*)(stage * kThreads + t + 1)));
  for (long t = 0; t < kThreads; t++) {
    void* part = NULL;
    CHECK_ZERO(pthread_join(ids[t], &part));
    hash = mix64(hash ^ (uint64_t)part);
  }
  return hash;
}

static void* wait_for_ever(void* unused) {
  for (;;) pause();
  return unused;
}

static void* replace(void* unused) {
  execv("/proc/self/exe", g_next_argv);
  CHECK(!"execv returned");
  return unused;
}

static void start_next(long stage) {
  static char work[32], next[32];
  static char* arguments[] = {"exec_self", work, next, NULL};
  snprintf(work, sizeof work, "%ld", g_work);
  snprintf(next, sizeof next, "%ld", stage + 1);
  g_next_argv = arguments;
  fflush(stdout);
  pthread_t id;
  for (int i = 0; i < 2; i++) CHECK_ZERO(pthread_create(&id, NULL, wait_for_ever, NULL));
  if (stage == 0) replace(NULL);
  CHECK_ZERO(pthread_create(&id, NULL, replace, NULL));
  for (;;) pause();
}

// A descriptor without CLOEXEC; each image reads its next byte of /proc/self/exe.
static void use_kept_file(long stage) {
  enum { kKept = 57 };
  if (stage == 0) {
    int file = open("/proc/self/exe", O_RDONLY);
    CHECK(file >= 0 && dup2(file, kKept) == kKept);
    CHECK_ZERO(close(file));
  }
  char byte = 0;
  CHECK(read(kKept, &byte, 1) == 1);
  CHECK(byte == "\177EL"[stage]);
}

static void check_identity(long stage) {
  char pid[32], *kept = getenv("EXEC_SELF_PID");
  snprintf(pid, sizeof pid, "%ld", (long)getpid());
  sigset_t mask;
  if (stage == 0) {
    CHECK(!kept);
    CHECK_ZERO(setenv("EXEC_SELF_PID", pid, 1));
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    CHECK_ZERO(pthread_sigmask(SIG_BLOCK, &mask, NULL));
  } else {
    CHECK(kept && strcmp(kept, pid) == 0);
    CHECK_ZERO(pthread_sigmask(SIG_BLOCK, NULL, &mask));
    CHECK(sigismember(&mask, SIGUSR2) == 1 && sigismember(&mask, SIGUSR1) == 0);
  }
}

int main(int argc, char** argv) {
  g_work = number_argument(argc, argv, 1, 60000000);
  long stage = number_argument(argc, argv, 2, 0);
  check_identity(stage);
  use_kept_file(stage);
  printf("stage %ld hash %016llx\n", stage, (unsigned long long)run_threads(stage));
  if (stage < kLastStage) start_next(stage);
  puts("ok");
  return 0;
}
