// SPDX-License-Identifier: Apache-2.0
#include "litmus_rounds.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <set>

#include "dsm/dsm.h"
#include "instance_plan.h"
#include "pacing.h"

namespace litmus {

namespace {

constexpr size_t kPageBytes = 4096;
constexpr int kInstances = 96;  // a round
constexpr int kMostThreads = 4;
constexpr int kMostResults = 4;  // a thread

// How far threads are skewed adapts to how long an instance takes here: nanoseconds natively,
// hundreds of microseconds over a network.
constexpr Ticks kLeastReachUs = 20, kFirstReachUs = 40, kMostReachUs = 20000;
constexpr Ticks kNearUs = 2;  // from here on a waiting thread spins

using Location = std::atomic<uint32_t>;

struct alignas(kPageBytes) ThreadResults {
  uint32_t values[kInstances][kMostResults];
  uint32_t late;  // instances that began more than half a reach after their time
  int node;
};

// Written by the first thread before the barrier, read by all after it.
struct alignas(kPageBytes) RoundOrders {
  uint64_t number;
  Ticks reach;
  bool last;
  uint16_t page_of[kInstances * 2];  // shuffled: no fetch-ahead may guess the next page
};

struct Arena {
  alignas(kPageBytes) std::atomic<Ticks> begin{0};
  alignas(kPageBytes) RoundOrders orders{};
  ThreadResults results[kMostThreads]{};
  const Test* test = nullptr;
  uint64_t seed = 0;
  char* pages = nullptr;
  pthread_barrier_t barrier{};

  Location& location(int instance, int which) {
    return *reinterpret_cast<Location*>(pages + orders.page_of[instance * 2 + which] * kPageBytes);
  }
  InstancePlan plan(int instance) const {
    return InstancePlan(seed, orders.number * kInstances + static_cast<uint64_t>(instance));
  }
  int participants() const { return static_cast<int>(test->threads.size()); }
};

void prepare(Arena& arena, int me) {
  for (int i = 0; i < kInstances; i++) {
    InstancePlan plan = arena.plan(i);
    for (int which = 0; which < 2; which++) {
      Location& place = arena.location(i, which);
      Start start = plan.start_of(which);
      if (start == Start::Shared) (void)place.load();
      if (start == Start::Exclusive && plan.owner_of(which, arena.participants()) == me)
        place.store(0);
    }
  }
}

// The operations are single instructions in program order: relaxed for the compiler, and nothing
// for the processor but its own rules.
uint32_t perform(const Operation& operation, Location& place) {
  uint32_t result = 0;
  switch (operation.kind) {
    case Kind::Store: place.store(operation.value, std::memory_order_relaxed); break;
    case Kind::Load: result = place.load(std::memory_order_relaxed); break;
    case Kind::FetchAdd:
      result = place.fetch_add(operation.value, std::memory_order_relaxed);
      break;
    case Kind::Fence: _mm_mfence(); break;
  }
  asm volatile("" ::: "memory");
  return result;
}

void run_instance(Arena& arena, int me, int instance, Ticks common_time) {
  const Ticks near_ticks = kNearUs * ticks_per_us();
  const Ticks reach = arena.orders.reach;
  InstancePlan plan = arena.plan(instance);
  const Program& program = arena.test->threads[static_cast<size_t>(me)];
  Location* places[2] = {&arena.location(instance, 0), &arena.location(instance, 1)};
  uint32_t* results = arena.results[me].values[instance];
  Ticks begin = common_time + plan.skew(me, reach);
  if (now() > begin + reach / 2) arena.results[me].late++;
  Ticks pauses[8];
  for (size_t o = 0; o < program.size(); o++)
    pauses[o] = o ? plan.pause(me, static_cast<int>(o), reach) : 0;
  wait_until(begin, near_ticks);
  for (size_t o = 0; o < program.size(); o++) {
    if (pauses[o]) wait_until(now() + pauses[o], near_ticks);
    uint32_t result = perform(program[o], *places[program[o].location]);
    if (program[o].kind == Kind::Load || program[o].kind == Kind::FetchAdd) *results++ = result;
  }
}

void meet(Arena& arena) { pthread_barrier_wait(&arena.barrier); }

struct Seat {
  Arena* arena;
  int me;
};

void* participate(void* argument) {
  Seat seat = *static_cast<Seat*>(argument);
  Arena& arena = *seat.arena;
  arena.results[seat.me].node = dsm_node ? dsm_node() : -1;
  for (;;) {
    meet(arena);  // orders are given, pages are clear
    if (arena.orders.last) return nullptr;
    prepare(arena, seat.me);
    meet(arena);
    Ticks begin;
    while ((begin = arena.begin.load(std::memory_order_acquire)) == 0) sched_yield();
    arena.results[seat.me].late = 0;
    for (int i = 0; i < kInstances; i++)
      run_instance(arena, seat.me, i, begin + i * 2 * arena.orders.reach);
    meet(arena);
  }
}

// All pages zero and absent at the participants: by turns given back, and owned by this thread.
void clear_pages(Arena& arena) {
  if (arena.orders.number % 2 == 0 &&
      madvise(arena.pages, kInstances * 2 * kPageBytes, MADV_DONTNEED) == 0)
    return;
  for (int page = 0; page < kInstances * 2; page++)
    reinterpret_cast<Location*>(arena.pages + page * kPageBytes)->store(0);
}

Outcome collect(Arena& arena, int instance) {
  Outcome outcome;
  for (int t = 0; t < arena.participants(); t++) {
    const uint32_t* values = arena.results[t].values[instance];
    outcome.insert(outcome.end(), values,
                   values + results_of(arena.test->threads[static_cast<size_t>(t)]));
  }
  for (int which = 0; which < 2; which++) outcome.push_back(arena.location(instance, which).load());
  return outcome;
}

std::string describe(Arena& arena, int instance, const Outcome& outcome) {
  InstancePlan plan = arena.plan(instance);
  std::string text = std::string("x ") + name_of(plan.start_of(0)) + ", y " +
                     name_of(plan.start_of(1)) + ", outcome";
  for (uint32_t value : outcome) text += " " + std::to_string(value);
  return text;
}

void judge(Arena& arena, Tally& tally) {
  for (int i = 0; i < kInstances; i++) {
    Outcome outcome = collect(arena, i);
    tally.iterations++;
    tally.outcomes[outcome]++;
    auto count = [&](const std::vector<Class>& classes, std::vector<ClassCount>& counts) {
      for (size_t c = 0; c < classes.size(); c++) {
        if (!classes[c].contains(outcome)) continue;
        if (counts[c].count++ == 0) counts[c].first_seen = describe(arena, i, outcome);
      }
    };
    count(arena.test->forbidden, tally.forbidden);
    count(arena.test->interesting, tally.interesting);
  }
}

// Keeps the reach near the time that an instance takes.
Ticks adapt(const Arena& arena) {
  uint32_t late = 0;
  for (int t = 0; t < arena.participants(); t++) late = std::max(late, arena.results[t].late);
  Ticks reach = arena.orders.reach;
  if (late > kInstances / 4) reach += reach / 4;
  if (late < kInstances / 10) reach -= reach / 8;
  return std::clamp(reach, kLeastReachUs * ticks_per_us(), kMostReachUs * ticks_per_us());
}

void run_rounds(Arena& arena, uint64_t iterations, Tally& tally) {
  std::mt19937_64 shuffler(arena.seed);
  for (uint16_t p = 0; p < kInstances * 2; p++) arena.orders.page_of[p] = p;
  arena.orders.reach = kFirstReachUs * ticks_per_us();
  for (; tally.iterations < iterations; arena.orders.number++) {
    std::shuffle(std::begin(arena.orders.page_of), std::end(arena.orders.page_of), shuffler);
    clear_pages(arena);
    arena.begin.store(0);
    meet(arena);
    meet(arena);  // starting states are set
    arena.begin.store(now() + 4 * arena.orders.reach, std::memory_order_release);
    meet(arena);
    judge(arena, tally);
    arena.orders.reach = adapt(arena);
  }
  tally.reach_us = arena.orders.reach / ticks_per_us();
  arena.orders.last = true;
  meet(arena);
}

// Under dsm with enough nodes every participant must have one of its own.
std::string placement_problem(const Arena& arena) {
  if (!dsm_node_count || dsm_node_count() < arena.participants()) return {};
  std::set<int> nodes;
  for (int t = 0; t < arena.participants(); t++) nodes.insert(arena.results[t].node);
  if (static_cast<int>(nodes.size()) == arena.participants()) return {};
  return "only " + std::to_string(nodes.size()) + " nodes for " +
         std::to_string(arena.participants()) + " threads";
}

}  // namespace

Tally run_test(const Test& test, uint64_t iterations, uint64_t seed) {
  Tally tally;
  tally.forbidden.resize(test.forbidden.size());
  tally.interesting.resize(test.interesting.size());
  auto arena = std::make_unique<Arena>();
  arena->test = &test;
  arena->seed = seed;
  const size_t bytes = kInstances * 2 * kPageBytes;
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    tally.problem = "mmap failed";
    return tally;
  }
  arena->pages = static_cast<char*>(pages);
  pthread_barrier_init(&arena->barrier, nullptr, static_cast<unsigned>(test.threads.size()) + 1);
  pthread_t ids[kMostThreads];
  Seat seats[kMostThreads];
  for (int t = 0; t < arena->participants(); t++) {
    seats[t] = {arena.get(), t};
    if (pthread_create(&ids[t], nullptr, participate, &seats[t]) != 0) abort();
  }
  run_rounds(*arena, iterations, tally);
  for (int t = 0; t < arena->participants(); t++) pthread_join(ids[t], nullptr);
  tally.problem = placement_problem(*arena);
  pthread_barrier_destroy(&arena->barrier);
  munmap(pages, bytes);
  return tally;
}

}  // namespace litmus
