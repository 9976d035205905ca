// SPDX-License-Identifier: Apache-2.0
// OpenMP: conjugate gradients for the Poisson equation on a square. Sums are taken over a fixed
// number of blocks and added in block order, so the bits do not depend on how many threads run.
// The residual, recomputed from the solution by one thread, must have fallen as far as claimed.
//
//   omp_cg [side] [iterations]
#include <math.h>

#include "../selfcheck.h"

enum { kBlocks = 32 };

static long g_side;

static double dot(const double* a, const double* b, long n) {
  double partial[kBlocks];
#pragma omp parallel for schedule(static)
  for (int block = 0; block < kBlocks; block++) {
    double sum = 0;
    for (long i = n * block / kBlocks; i < n * (block + 1) / kBlocks; i++) sum += a[i] * b[i];
    partial[block] = sum;
  }
  double total = 0;
  for (int block = 0; block < kBlocks; block++) total += partial[block];
  return total;
}

// out = A x for the five-point Laplacian with zero boundary.
static void apply(const double* x, double* out) {
#pragma omp parallel for schedule(static)
  for (long r = 0; r < g_side; r++) {
    for (long c = 0; c < g_side; c++) {
      long i = r * g_side + c;
      double value = 4 * x[i];
      if (r > 0) value -= x[i - g_side];
      if (r < g_side - 1) value -= x[i + g_side];
      if (c > 0) value -= x[i - 1];
      if (c < g_side - 1) value -= x[i + 1];
      out[i] = value;
    }
  }
}

// y = x * scale + z, any of which may be the same array.
static void scale_add(double* y, const double* x, double scale, const double* z, long n) {
#pragma omp parallel for schedule(static)
  for (long i = 0; i < n; i++) y[i] = x[i] * scale + z[i];
}

int main(int argc, char** argv) {
  g_side = number_argument(argc, argv, 1, 1300);
  long iterations = number_argument(argc, argv, 2, 350);
  long n = g_side * g_side;
  size_t bytes = (size_t)n * sizeof(double);
  double *x = calloc(1, bytes), *b = malloc(bytes), *r = malloc(bytes), *p = malloc(bytes),
         *ap = malloc(bytes);
  CHECK(x && b && r && p && ap);
  for (long i = 0; i < n; i++) b[i] = (double)(mix64((uint64_t)i) >> 52) / 4096.0 - 0.5;
  memcpy(r, b, bytes);
  memcpy(p, b, bytes);
  double rr = dot(r, r, n);
  double start = rr;
  for (long k = 0; k < iterations; k++) {
    apply(p, ap);
    double alpha = rr / dot(p, ap, n);
    scale_add(x, p, alpha, x, n);
    scale_add(r, ap, -alpha, r, n);
    double next = dot(r, r, n);
    scale_add(p, p, next / rr, r, n);
    rr = next;
  }
  apply(x, ap);
  double true_rr = 0;
  for (long i = 0; i < n; i++) true_rr += (b[i] - ap[i]) * (b[i] - ap[i]);
  CHECK(fabs(true_rr - rr) <= 1e-6 * start);
  CHECK(true_rr < 0.9 * start);
  printf("cg %ld x %ld, %ld iterations, residual %a of %a, solution %016llx ok\n", g_side, g_side,
         iterations, rr, start, (unsigned long long)hash_bytes(x, bytes));
  free(x), free(b), free(r), free(p), free(ap);
  return 0;
}
