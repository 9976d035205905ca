// SPDX-License-Identifier: Apache-2.0
// Conformance cases: small programs that observe one rule of the system-call interface each and print what they saw. The
// native run is the oracle (run.py): under dsm the same case must print the same, with its body in a thread of node 0, and
// in a thread of another node.
//
//   CASE(restart_of_read) { ... say("read gave %d", n); }
//   CONFORMANCE_MAIN
//
//   PROGRAM --list            the names of its cases
//   PROGRAM CASE main|thread  one case, in the main thread or in a thread made for it
//
// A case prints nothing that differs between two correct runs: no times, ids, addresses. It never waits without an end:
// the alarm of kCaseSeconds ends the process by SIGALRM, unless the case itself uses that timer.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kCaseSeconds = 20, kMostCases = 200 };

typedef void (*CaseBody)(void);
struct ConformanceCase {
  const char* name;
  CaseBody body;
};
static struct ConformanceCase g_cases[kMostCases];
static int g_case_count;

static inline void conformance_add(const char* name, CaseBody body) {
  if (g_case_count == kMostCases) abort();
  g_cases[g_case_count++] = (struct ConformanceCase){name, body};
}

// Defines a case. Names are unique over all programs of this folder.
#define CASE(name)                                                                     \
  static void case_##name(void);                                                       \
  __attribute__((constructor)) static void add_##name(void) {                          \
    conformance_add(#name, case_##name);                                               \
  }                                                                                    \
  static void case_##name(void)

// One line of what was observed; written at once, so that a process that dies has said it.
__attribute__((format(printf, 1, 2))) static inline void say(const char* format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (size < 0) abort();
  if (size > (int)sizeof line - 2) size = (int)sizeof line - 2;
  line[size] = '\n';
  if (write(STDOUT_FILENO, line, (size_t)size + 1) != size + 1) abort();
}

// "ok" or the name of the error, for results of calls.
static inline const char* outcome(long result) { return result >= 0 ? "ok" : strerrorname_np(errno); }

// What the case needs to go on; a failure ends the process and shows in the output.
#define NEED(condition)                                                                \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      say("%s:%d: needed %s (%s)", __FILE__, __LINE__, #condition, strerror(errno));   \
      _exit(99);                                                                       \
    }                                                                                  \
  } while (0)

static inline void* conformance_thread(void* body) {
  (*(CaseBody*)body)();
  return NULL;
}

static inline int conformance_main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    for (int i = 0; i < g_case_count; i++) puts(g_cases[i].name);
    return 0;
  }
  for (int i = 0; argc == 3 && i < g_case_count; i++) {
    if (strcmp(g_cases[i].name, argv[1]) != 0) continue;
    CaseBody body = g_cases[i].body;
    alarm(kCaseSeconds);
    if (strcmp(argv[2], "main") == 0) {
      body();
      return 0;
    }
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, conformance_thread, &body) == 0);
    NEED(pthread_join(thread, NULL) == 0);
    return 0;
  }
  fprintf(stderr, "usage: %s --list | CASE main|thread\n", argv[0]);
  return 2;
}

#define CONFORMANCE_MAIN \
  int main(int argc, char** argv) { return conformance_main(argc, argv); }
