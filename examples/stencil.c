// SPDX-License-Identifier: Apache-2.0
// Heat spreads over a square plate: the classic five-point stencil with a barrier after each step.
//
// Why it distributes well: a thread computes a band of rows, and only the two rows at the band's edges are read by
// its neighbours. Of a whole plate, a few pages a step travel between nodes; the rest stays where it is used. Each
// thread also fills its own band, so the pages begin their life on the right node.
#include "support.h"

struct Band {
  long first, last;  // rows [first, last)
  long size, steps;
  double *from, *to;
  pthread_barrier_t* barrier;
};

static void fill(double* plate, const struct Band* band) {
  for (long row = band->first; row < band->last; row++) {
    for (long column = 0; column < band->size; column++) {
      plate[row * band->size + column] = row == 0 ? 100.0 : 0.0;  // the upper edge is hot
    }
  }
}

static void step(const double* from, double* to, const struct Band* band) {
  long n = band->size;
  for (long row = band->first; row < band->last; row++) {
    if (row == 0 || row == n - 1) continue;  // the edges keep their temperature
    for (long column = 1; column < n - 1; column++) {
      const double* cell = from + row * n + column;
      to[row * n + column] = 0.25 * (cell[-n] + cell[n] + cell[-1] + cell[1]);
    }
  }
}

static void* compute(void* argument) {
  const struct Band* band = argument;
  double *from = band->from, *to = band->to;
  fill(from, band);
  fill(to, band);
  pthread_barrier_wait(band->barrier);
  for (long i = 0; i < band->steps; i++) {
    step(from, to, band);
    double* old = from;
    from = to;
    to = old;
    pthread_barrier_wait(band->barrier);
  }
  return NULL;
}

// A mean of temperatures lies between them, so nothing can leave the range of the edges.
static int temperatures_are_possible(const double* plate, long n) {
  for (long i = 0; i < n * n; i++) {
    if (!(plate[i] >= 0.0 && plate[i] <= 100.0)) return 0;
  }
  return 1;
}

int main(int argc, char** argv) {
  long threads = option(argc, argv, "--threads", 4, 1, kMaxThreads);
  long size = option(argc, argv, "--size", 2048, 8, 32768);
  long steps = option(argc, argv, "--steps", 400, 1, 1000000);
  size_t bytes = (size_t)(size * size) * sizeof(double);
  double* plate[2] = {NULL, NULL};
  for (int i = 0; i < 2; i++) {
    if (posix_memalign((void**)&plate[i], kPageBytes, bytes) != 0) stop_with("out of memory");
  }
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, (unsigned)threads);

  struct Band band[kMaxThreads];
  for (long i = 0; i < threads; i++) {
    band[i] = (struct Band){size * i / threads, size * (i + 1) / threads, size, steps, plate[0], plate[1], &barrier};
  }
  double begin = seconds_now();
  run_threads(compute, band, sizeof band[0], threads);
  fprintf(stderr, "stencil: %.2f s\n", seconds_now() - begin);

  const double* result = plate[steps % 2];
  if (!temperatures_are_possible(result, size)) {
    printf("stencil: WRONG, a temperature outside 0 to 100\n");
    return 1;
  }
  printf("stencil: %ld x %ld, %ld steps, centre of the third row %.12f, digest %016llx\n", size, size, steps,
         result[2 * size + size / 2], (unsigned long long)digest(result, bytes));
  return 0;
}
