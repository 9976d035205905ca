// SPDX-License-Identifier: Apache-2.0
// Fills memory in a thread, says where it lies, and dies: by abort, by a bad access, by a signal that it sends itself; in the
// main thread or in the thread. The memory file of the dump must hold what the thread wrote, wherever that was.
//   core_writer abort|access|quit main|thread
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kWords = 1 << 17, kReserved = 1 << 30 };

static uint64_t* g_words;
static const char* g_how;
static volatile int* volatile g_nowhere = (volatile int*)8;

static void die(void) {
  if (strcmp(g_how, "abort") == 0) abort();
  if (strcmp(g_how, "access") == 0) *g_nowhere = 1;
  if (strcmp(g_how, "quit") == 0) kill(getpid(), SIGQUIT);
  for (;;) pause();
}

static void* fill(void* dies) {
  for (uint64_t i = 0; i < kWords; i++) g_words[i] = i * 0x9e3779b97f4a7c15u;
  if (dies != NULL) die();
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  g_how = argv[1];
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  g_words = mmap(NULL, kWords * sizeof *g_words, PROT_READ | PROT_WRITE, flags, -1, 0);
  char* reserved = mmap(NULL, kReserved, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, -1, 0);
  if (g_words == MAP_FAILED || reserved == MAP_FAILED) return 3;
  reserved[kReserved / 2] = 'r';
  printf("%lx %lx\n", (unsigned long)(uintptr_t)g_words, (unsigned long)(uintptr_t)reserved + kReserved / 2);
  fflush(stdout);
  pthread_t thread;
  if (pthread_create(&thread, NULL, fill, strcmp(argv[2], "thread") == 0 ? (void*)1 : NULL) != 0) return 3;
  pthread_join(thread, NULL);
  die();
}
