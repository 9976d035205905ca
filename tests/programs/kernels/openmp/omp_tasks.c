// SPDX-License-Identifier: Apache-2.0
// OpenMP: two task trees. A merge sort whose halves are tasks moves whole arrays between the nodes;
// counting the ways to place queens has many small tasks that return numbers.
//
//   omp_tasks [elements] [queens]
#include "../selfcheck.h"

enum { kLeaf = 1 << 17 };

static int compare(const void* a, const void* b) {
  uint64_t x = *(const uint64_t*)a, y = *(const uint64_t*)b;
  return (x > y) - (x < y);
}

static void merge(uint64_t* data, long half, long n, uint64_t* scratch) {
  memcpy(scratch, data, (size_t)half * sizeof *data);
  long i = 0, j = half, k = 0;
  while (i < half) data[k++] = (j < n && data[j] < scratch[i]) ? data[j++] : scratch[i++];
}

static void sort_tree(uint64_t* data, long n, uint64_t* scratch) {
  if (n <= kLeaf) {
    qsort(data, (size_t)n, sizeof *data, compare);
    return;
  }
  long half = n / 2;
#pragma omp task
  sort_tree(data, half, scratch);
#pragma omp task
  sort_tree(data + half, n - half, scratch + half);
#pragma omp taskwait
  merge(data, half, n, scratch);
}

// Ways to fill the rows from `row` on; the masks say which columns and diagonals are taken.
static long place_queens(int size, int row, uint32_t columns, uint32_t left, uint32_t right) {
  if (row == size) return 1;
  uint32_t open = ~(columns | left | right) & ((1u << size) - 1);
  long ways[32] = {0}, total = 0;
  for (int c = 0; c < size; c++) {
    uint32_t bit = 1u << c;
    if (!(open & bit)) continue;
#pragma omp task shared(ways) if (row < 2)
    ways[c] = place_queens(size, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
#pragma omp taskwait
  for (int c = 0; c < size; c++) total += ways[c];
  return total;
}

int main(int argc, char** argv) {
  long n = number_argument(argc, argv, 1, 13000000);
  int queens = (int)number_argument(argc, argv, 2, 12);
  static const long kKnownWays[] = {1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712};
  CHECK(queens >= 4 && queens <= 13);
  uint64_t* data = malloc((size_t)n * sizeof *data);
  uint64_t* scratch = malloc((size_t)n * sizeof *data);
  CHECK(data && scratch);
  uint64_t sum = 0, sorted_sum = 0;
  for (long i = 0; i < n; i++) sum += data[i] = mix64((uint64_t)i);
  long ways = 0;
#pragma omp parallel
#pragma omp single
  {
    sort_tree(data, n, scratch);
    ways = place_queens(queens, 0, 0, 0, 0);
  }
  for (long i = 0; i < n; i++) {
    CHECK(i == 0 || data[i - 1] < data[i]);
    sorted_sum += data[i];
  }
  CHECK(sorted_sum == sum);
  CHECK(ways == kKnownWays[queens]);
  printf("sorted %ld by tasks, sum %016llx; %d queens %ld ways ok\n", n, (unsigned long long)sum,
         queens, ways);
  free(data), free(scratch);
  return 0;
}
