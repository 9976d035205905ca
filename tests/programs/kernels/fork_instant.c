// SPDX-License-Identifier: Apache-2.0
// fork takes one instant of the parent, whoever writes meanwhile: each of four writers (two of them on other nodes under
// --place rr) stores x and then y on distant pages, round after round, and chains what it read of its neighbour. Every child must
// see x - y of 0 or 1 for each writer, and no effect without its cause. Children also count in memory that they share with the
// parent, under a process-shared semaphore, which must lose nothing.
//
//   fork_instant [forks]
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "selfcheck.h"

enum { kWriters = 4, kApart = 64 * kPageSize };

// Far apart: pages of their own, in blocks and runs of their own.
struct Cell {
  _Alignas(kApart) atomic_long value;
};
static struct Cell g_x[kWriters], g_y[kWriters], g_seen[kWriters];
static atomic_int g_stop;

static void* write_rounds(void* argument) {
  const long me = (long)argument, next = (me + 1) % kWriters;
  for (long round = 1; !atomic_load(&g_stop); round++) {
    atomic_store(&g_x[me].value, round);
    atomic_store(&g_y[me].value, round);
    atomic_store(&g_seen[me].value, atomic_load(&g_y[next].value));
    if (round % 16 == 0) compute((uint64_t)round, 2000);   // time for the others
  }
  return NULL;
}

// In the child: 0 if this is a state that the parent could have been in.
static int impossible(void) {
  for (int w = 0; w < kWriters; w++) {
    const long x = atomic_load(&g_x[w].value), y = atomic_load(&g_y[w].value);
    if (x - y != 0 && x - y != 1) return 1;
    if (atomic_load(&g_seen[w].value) > atomic_load(&g_y[(w + 1) % kWriters].value)) return 2;
  }
  return 0;
}

struct Shared {
  sem_t turn;
  long counter;
  _Alignas(kPageSize) atomic_long adds;
};

int main(int argc, char** argv) {
  const long forks = number_argument(argc, argv, 1, 1000);
  struct Shared* shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED && sem_init(&shared->turn, 1, 1) == 0);
  pthread_t writers[kWriters];
  for (long w = 0; w < kWriters; w++) CHECK_ZERO(pthread_create(&writers[w], NULL, write_rounds, (void*)w));
  for (int w = 0; w < kWriters; w++)
    while (atomic_load(&g_y[w].value) == 0) usleep(100);
  for (long i = 0; i < forks; i++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      const int problem = impossible();
      while (sem_wait(&shared->turn) != 0) {
      }
      shared->counter++;
      sem_post(&shared->turn);
      atomic_fetch_add(&shared->adds, 1);
      _exit(problem);
    }
    while (sem_wait(&shared->turn) != 0) {
    }
    shared->counter++;
    sem_post(&shared->turn);
    atomic_fetch_add(&shared->adds, 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    if (status != 0) fprintf(stderr, "child %ld: status 0x%x\n", i, (unsigned)status);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  atomic_store(&g_stop, 1);
  for (int w = 0; w < kWriters; w++) CHECK_ZERO(pthread_join(writers[w], NULL));
  printf("%ld forks, counter %ld, adds %ld\n", forks, shared->counter, atomic_load(&shared->adds));
  return 0;
}
