// SPDX-License-Identifier: Apache-2.0
// How many processors there are, asked in every usual way, again and again, from the first thread
// and from others: one program must see one answer. Standard output says only that they agree;
// the count goes to standard error as `cpus N`, for the runner to compare.
//
//   cpu_counts [threads] [rounds] [work]
#include <sched.h>
#include <sys/sysinfo.h>

#include <thread>
#include <vector>

#include "selfcheck.h"

namespace {

long from_affinity() {
  cpu_set_t* set = CPU_ALLOC(4096);
  size_t bytes = CPU_ALLOC_SIZE(4096);
  CHECK(set);
  CHECK_ZERO(sched_getaffinity(0, bytes, set));
  long count = CPU_COUNT_S(bytes, set);
  CPU_FREE(set);
  return count;
}

long from_pthread() {
  cpu_set_t set;
  CHECK_ZERO(pthread_getaffinity_np(pthread_self(), sizeof set, &set));
  return CPU_COUNT(&set);
}

void expect_count(long wanted, long rounds, long work, uint64_t seed) {
  volatile uint64_t noise = seed;
  for (long i = 0; i < rounds; i++) {
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) == wanted);
    CHECK(sysconf(_SC_NPROCESSORS_CONF) >= wanted);
    CHECK(get_nprocs() == wanted);
    CHECK(std::thread::hardware_concurrency() == static_cast<unsigned>(wanted));
    CHECK(from_affinity() == wanted);
    CHECK(from_pthread() == wanted);
    CHECK(sched_getcpu() >= 0);
    noise = compute(noise, work);
  }
}

}  // namespace

int main(int argc, char** argv) {
  long threads = number_argument(argc, argv, 1, 4);
  long rounds = number_argument(argc, argv, 2, 80);
  long work = number_argument(argc, argv, 3, 2000000);
  long wanted = sysconf(_SC_NPROCESSORS_ONLN);
  CHECK(wanted >= 1);
  expect_count(wanted, 1, 0, 0);
  std::vector<std::thread> group;
  for (long t = 0; t < threads; t++)
    group.emplace_back(expect_count, wanted, rounds, work, static_cast<uint64_t>(t));
  for (std::thread& t : group) t.join();
  fprintf(stderr, "cpus %ld\n", wanted);
  puts("all answers agree ok");
  return 0;
}
