// SPDX-License-Identifier: Apache-2.0
// Memory of every kind, made while the program has one thread, then checked and changed by threads: what a process that
// joins a job must find unchanged. Run by a shell, so that it is a child of the job's first process.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define PAGE 4096ul

static char initialised[PAGE * 3] = "data";
static char zeroed[PAGE * 300];
static _Thread_local int mine = 5;
static char *heap, *sparse, *hidden, *file_private, *file_read, *shared, *grown;
static volatile sig_atomic_t signals;

static void fail(const char* what) {
  printf("wrong: %s\n", what);
  fflush(stdout);
  _exit(1);
}

static void on_signal(int number) {
  (void)number;
  signals = signals + 1;
}

static void* must(void* address) {
  if (address == MAP_FAILED) fail("mmap");
  return address;
}

static char* map(size_t bytes, int protection, int flags, int fd) { return must(mmap(NULL, bytes, protection, flags, fd, 0)); }

static void make_files(void) {
  char path[] = "/tmp/join_memory-XXXXXX";
  const int fd = mkstemp(path);
  for (unsigned i = 0; i < 3 * PAGE; i++)
    if (write(fd, "f", 1) != 1) fail("write");
  file_private = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  file_read = map(3 * PAGE, PROT_READ, MAP_PRIVATE, fd);
  file_private[PAGE] = 'w';
  unlink(path);
  close(fd);
}

static void make_memory(void) {
  heap = malloc(100000);
  strcpy(heap, "heap");
  memset(zeroed + PAGE * 100, 'z', PAGE * 100);
  sparse = map(1ul << 32, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  for (unsigned i = 0; i < 64; i++) sparse[i * (1ul << 26) + 17] = (char)(i + 1);
  hidden = map(PAGE * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  strcpy(hidden, "hidden");
  mprotect(hidden, PAGE * 2, PROT_NONE);
  shared = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  if (fork() == 0) {
    for (int ms = 0; shared[0] != 'p' && ms < 60000; ms++) usleep(1000);
    shared[1] = 'c';
    _exit(0);
  }
  grown = mremap(map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1), PAGE, 900 * PAGE, MREMAP_MAYMOVE);
  must(grown);
  grown[899 * PAGE] = 'g';
  char* middle = grown + 100 * PAGE;
  munmap(middle, PAGE);
  make_files();
}

static void check_memory(void) {
  if (strcmp(initialised, "data") != 0) fail("data");
  if (strcmp(heap, "heap") != 0) fail("heap");
  for (unsigned i = 0; i < sizeof zeroed; i++)
    if (zeroed[i] != (i / PAGE >= 100 && i / PAGE < 200 ? 'z' : 0)) fail("bss");
  for (unsigned i = 0; i < 64; i++)
    if (sparse[i * (1ul << 26) + 17] != (char)(i + 1) || sparse[i * (1ul << 26) + PAGE * 3] != 0) fail("sparse");
  if (grown[899 * PAGE] != 'g' || grown[5] != 0) fail("grown");
  if (file_private[0] != 'f' || file_private[PAGE] != 'w' || file_private[2 * PAGE + 1] != 'f') fail("private file");
  if (file_read[0] != 'f' || file_read[PAGE] != 'f') fail("read file");
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long sum;

static void* work(void* argument) {
  const long number = (long)argument;
  check_memory();
  if (mine != 5) fail("thread-local memory");
  mine = (int)number;
  pthread_mutex_lock(&lock);
  sum += number;
  if (number == 1) {
    mprotect(hidden, PAGE * 2, PROT_READ | PROT_WRITE);
    if (strcmp(hidden, "hidden") != 0) fail("hidden");
    shared[0] = 'p';
  }
  pthread_mutex_unlock(&lock);
  char* fresh = malloc(1 << 20);
  memset(fresh, (int)number, 1 << 20);
  free(fresh);
  return NULL;
}

int main(void) {
  signal(SIGUSR1, on_signal);
  make_memory();
  char on_stack[] = "stack";
  raise(SIGUSR1);
  pthread_t thread[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, work, (void*)(i + 1));
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  raise(SIGUSR1);
  int status = -1;
  wait(&status);
  if (shared[1] != 'c') fail("memory shared with a child");
  if (strcmp(on_stack, "stack") != 0 || mine != 5) fail("stack");
  madvise(file_private, 8 * PAGE, MADV_DONTNEED);
  if (file_private[PAGE] != 'f') fail("private file, discarded");
  char* const program_break = sbrk(0);
  if (sbrk(PAGE * 10) != program_break) fail("break");
  program_break[PAGE * 9] = 1;
  printf("sum %ld, signals %d, child %d\n", sum, (int)signals, status);
  return 0;
}
