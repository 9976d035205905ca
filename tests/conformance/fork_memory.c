// SPDX-License-Identifier: Apache-2.0
// What a forked child sees of its parent's memory: shared anonymous memory stays shared, private memory is a copy.
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "conformance.h"

enum { kPage = 4096 };

static void* shared_pages(size_t bytes) {
  void* pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  NEED(pages != MAP_FAILED);
  return pages;
}

static void wait_for(pid_t child) {
  int status = 0;
  NEED(waitpid(child, &status, 0) == child);
  say("child: exited %d, status %d", WIFEXITED(status), WEXITSTATUS(status));
}

CASE(fork_shared_written_by_child) {
  char* pages = shared_pages(4 * kPage);
  strcpy(pages, "parent before");
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    const int seen = strcmp(pages, "parent before");
    strcpy(pages, "child");
    strcpy(pages + 3 * kPage, "child, first touch");
    _exit(seen == 0 ? 3 : 4);
  }
  wait_for(child);
  say("first %s", pages);
  say("last %s", pages + 3 * kPage);
}

CASE(fork_shared_written_by_parent) {
  atomic_int* word = shared_pages(kPage);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    while (atomic_load(word) != 1) usleep(1000);
    atomic_store(word, 2);
    _exit(0);
  }
  atomic_store(word, 1);
  wait_for(child);
  say("word %d", atomic_load(word));
}

CASE(fork_shared_counter) {
  atomic_long* counter = shared_pages(kPage);
  enum { kAdds = 20000 };
  pid_t child = fork();
  NEED(child >= 0);
  for (int i = 0; i < kAdds; i++) atomic_fetch_add(counter, 1);
  if (child == 0) _exit(0);
  wait_for(child);
  say("counter %ld", atomic_load(counter));
}

CASE(fork_shared_semaphore) {
  struct { sem_t ping, pong; } *s = shared_pages(kPage);
  NEED(sem_init(&s->ping, 1, 0) == 0 && sem_init(&s->pong, 1, 0) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  for (int i = 0; i < 200; i++) {
    NEED(sem_post(child ? &s->ping : &s->pong) == 0);
    NEED(sem_wait(child ? &s->pong : &s->ping) == 0);
  }
  if (child == 0) _exit(0);
  wait_for(child);
  say("done");
}

CASE(fork_shared_mutex_and_condition) {
  struct { pthread_mutex_t lock; pthread_cond_t turn; int whose, turns; } *s = shared_pages(kPage);
  pthread_mutexattr_t mutex;
  pthread_condattr_t condition;
  NEED(pthread_mutexattr_init(&mutex) == 0 && pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED) == 0);
  NEED(pthread_condattr_init(&condition) == 0 && pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED) == 0);
  NEED(pthread_mutex_init(&s->lock, &mutex) == 0 && pthread_cond_init(&s->turn, &condition) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  const int me = child == 0;
  for (int i = 0; i < 100; i++) {
    NEED(pthread_mutex_lock(&s->lock) == 0);
    while (s->whose != me) NEED(pthread_cond_wait(&s->turn, &s->lock) == 0);
    s->whose = !me;
    s->turns++;
    NEED(pthread_cond_broadcast(&s->turn) == 0);
    NEED(pthread_mutex_unlock(&s->lock) == 0);
  }
  if (child == 0) _exit(0);
  wait_for(child);
  say("turns %d", s->turns);
}

CASE(fork_shared_by_grandchild) {
  int* words = shared_pages(kPage);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) {
      words[0] = 17;
      _exit(0);
    }
    int status;
    NEED(waitpid(grandchild, &status, 0) == grandchild);
    words[1] = words[0] + 1;
    _exit(0);
  }
  wait_for(child);
  say("words %d %d", words[0], words[1]);
}

CASE(fork_shared_after_protect_and_unmap) {
  char* pages = shared_pages(8 * kPage);
  memset(pages, 'a', 8 * kPage);
  NEED(munmap(pages + 2 * kPage, 2 * kPage) == 0);
  NEED(mprotect(pages + 5 * kPage, kPage, PROT_READ) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    pages[0] = 'b';
    pages[7 * kPage] = pages[5 * kPage] + 1;
    NEED(mprotect(pages + 5 * kPage, kPage, PROT_READ | PROT_WRITE) == 0);
    pages[5 * kPage] = 'c';
    _exit(0);
  }
  wait_for(child);
  say("%c %c %c %c", pages[0], pages[kPage], pages[5 * kPage], pages[7 * kPage]);
}

CASE(fork_shared_unmapped_by_parent) {
  int* words = shared_pages(kPage);
  int ends[2];
  NEED(pipe(ends) == 0);
  words[0] = 5;
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    char byte;
    NEED(read(ends[0], &byte, 1) == 1);
    _exit(words[0]);
  }
  NEED(munmap(words, kPage) == 0);
  NEED(write(ends[1], "x", 1) == 1);
  wait_for(child);
}

CASE(fork_shared_dev_zero) {
  FILE* zero = fopen("/dev/zero", "r+");
  NEED(zero != NULL);
  int* words = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(zero), 0);
  NEED(words != MAP_FAILED);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    words[9] = 23;
    _exit(0);
  }
  wait_for(child);
  say("word %d", words[9]);
}

CASE(fork_private_is_a_copy) {
  static int word = 1;
  int* heap = malloc(sizeof *heap);
  *heap = 2;
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    word += 10;
    *heap += 10;
    _exit(word + *heap);
  }
  wait_for(child);
  say("parent %d %d", word, *heap);
}

CASE(fork_many_children_share) {
  atomic_int* counter = shared_pages(kPage);
  pid_t children[8];
  for (int i = 0; i < 8; i++) {
    children[i] = fork();
    NEED(children[i] >= 0);
    if (children[i] == 0) {
      for (int k = 0; k < 100; k++) atomic_fetch_add(counter, 1);
      _exit(0);
    }
  }
  for (int i = 0; i < 8; i++) NEED(waitpid(children[i], NULL, 0) == children[i]);
  say("counter %d", atomic_load(counter));
}

CASE(fork_shared_second_fork_sees_first_child) {
  int* words = shared_pages(2 * kPage);
  for (int i = 1; i <= 2; i++) {
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
      words[kPage / sizeof *words] += i;
      _exit(words[kPage / sizeof *words]);
    }
    wait_for(child);
  }
  say("word %d", words[kPage / sizeof *words]);
}

CONFORMANCE_MAIN
