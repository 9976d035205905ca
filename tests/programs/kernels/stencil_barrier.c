// SPDX-License-Identifier: Apache-2.0
// Heat on a plate: bands of rows, one thread each, a pthread_barrier between the steps. Each step
// reads the edge rows of the neighbour bands, so two rows a band and step change their node.
// The same steps done by one thread at the end must give the same bits.
//
//   stencil_barrier [threads] [steps] [rows]
#include "selfcheck.h"

enum { kColumns = 1024 };

struct plate {
  double* now;
  double* next;
  long rows;
};

struct band {
  struct plate plate;  // own copy: each thread swaps the two grids for itself
  long first, last;    // rows [first, last)
  long steps;
  pthread_barrier_t* step_done;
};

static void relax_rows(const struct plate* p, long first, long last) {
  for (long r = first; r < last; r++) {
    const double* up = p->now + (r - 1) * kColumns;
    const double* here = p->now + r * kColumns;
    const double* down = p->now + (r + 1) * kColumns;
    double* out = p->next + r * kColumns;
    for (long c = 1; c < kColumns - 1; c++)
      out[c] = 0.5 * here[c] + 0.125 * (up[c] + down[c] + here[c - 1] + here[c + 1]);
  }
}

static void swap_grids(struct plate* p) {
  double* old = p->now;
  p->now = p->next;
  p->next = old;
}

static void* run_band(void* argument) {
  struct band* b = argument;
  for (long step = 0; step < b->steps; step++) {
    relax_rows(&b->plate, b->first, b->last);
    int result = pthread_barrier_wait(b->step_done);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
    swap_grids(&b->plate);
  }
  return NULL;
}

static struct plate new_plate(long rows) {
  struct plate p = {.rows = rows};
  size_t bytes = (size_t)rows * kColumns * sizeof(double);
  CHECK_ZERO(posix_memalign((void**)&p.now, kPageSize, bytes));
  CHECK_ZERO(posix_memalign((void**)&p.next, kPageSize, bytes));
  for (long i = 0; i < rows * kColumns; i++) p.now[i] = (double)(mix64((uint64_t)i) >> 40);
  memcpy(p.next, p.now, bytes);
  return p;
}

int main(int argc, char** argv) {
  long threads = number_argument(argc, argv, 1, 4);
  long steps = number_argument(argc, argv, 2, 1100);
  long rows = number_argument(argc, argv, 3, 1024);
  CHECK(threads >= 1 && threads <= 64 && rows > threads + 2);

  struct plate shared = new_plate(rows);
  pthread_barrier_t step_done;
  CHECK_ZERO(pthread_barrier_init(&step_done, NULL, (unsigned)threads));
  pthread_t ids[64];
  struct band bands[64];
  for (long t = 0; t < threads; t++) {
    bands[t] = (struct band){.plate = shared,
                             .first = 1 + (rows - 2) * t / threads,
                             .last = 1 + (rows - 2) * (t + 1) / threads,
                             .steps = steps,
                             .step_done = &step_done};
    CHECK_ZERO(pthread_create(&ids[t], NULL, run_band, &bands[t]));
  }
  for (long t = 0; t < threads; t++) CHECK_ZERO(pthread_join(ids[t], NULL));
  if (steps % 2) swap_grids(&shared);

  struct plate alone = new_plate(rows);
  for (long step = 0; step < steps; step++) {
    relax_rows(&alone, 1, rows - 1);
    swap_grids(&alone);
  }
  size_t bytes = (size_t)rows * kColumns * sizeof(double);
  CHECK(memcmp(shared.now, alone.now, bytes) == 0);
  printf("stencil %ld rows %ld steps %ld threads hash %016llx ok\n", rows, steps, threads,
         (unsigned long long)hash_bytes(shared.now, bytes));
  return 0;
}
