// SPDX-License-Identifier: Apache-2.0
// Many threads hammer many shared pages with random reads, writes, atomics and small critical
// sections for some seconds. Every lost, torn or undone update is noticed (hammer_page.h).
//
//   page_hammer [--seconds S] [--threads T] [--pages P] [--min-ops N] [--min-share PERCENT] [--seed S]
//
// Prints operations and the slowest thread against the median; PASS or FAIL; exit 0, 1, or 2 for
// bad options. Runs natively too.
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "hammer_page.h"

namespace {

using hammer::Complaint;
using hammer::Page;

struct Options {
  long seconds = 10;
  long threads = 64;
  long pages = 1000;
  long min_ops = 1;
  long min_share = 10;  // the slowest thread's part of the median, in percent
  long seed = 1;
};

constexpr long kJoinSeconds = 60;  // to finish one operation after the end was called

// What one thread knows of what it did to a page.
struct Memory {
  uint64_t count = 0;
  uint64_t added = 0;
  uint64_t mixed = 0;
  uint64_t updates = 0;
};

struct Shared {
  alignas(hammer::kPageBytes) std::atomic<int> stop{0};  // read by all, written once
  alignas(hammer::kPageBytes) Page* pages = nullptr;
  size_t page_count = 0;
  unsigned threads = 0;
  uint64_t seed = 0;
};

struct alignas(hammer::kPageBytes) Worker {
  Shared* shared = nullptr;
  unsigned me = 0;
  std::vector<Memory> memory;
  uint64_t ops = 0;
  Complaint complaint;
  size_t complaint_page = 0;
  pthread_t id{};
};

Complaint do_one(Worker& w, size_t page, uint64_t dice) {
  Page& p = w.shared->pages[page];
  Memory& m = w.memory[page];
  switch (dice % 20) {
    case 0: case 1: case 2: case 3: case 4: case 5: case 6:
      return hammer::read_other(p, page, static_cast<unsigned>(dice >> 32) % w.shared->threads);
    case 7: case 8: case 9: case 10: case 11:
      return hammer::write_own(p, page, w.me, m.count);
    case 12: case 13: case 14:
      p.added.fetch_add(1);
      m.added++;
      return {};
    case 15: case 16: {
      uint64_t value = hammer::mix(dice | 1);
      hammer::mix_in(p, value);
      m.mixed ^= value;
      return {};
    }
    default: {
      bool updated = false;
      Complaint c = hammer::update_block(p, updated);
      m.updates += updated;
      return c;
    }
  }
}

void* run(void* argument) {
  Worker& w = *static_cast<Worker*>(argument);
  uint64_t state = hammer::mix(w.shared->seed * 1000 + w.me + 1);
  while (!w.shared->stop.load(std::memory_order_relaxed)) {
    state = hammer::mix(state + 0x9e3779b97f4a7c15ull);
    size_t page = (state >> 8) % w.shared->page_count;
    w.complaint = do_one(w, page, hammer::mix(state));
    if (w.complaint.what) {
      w.complaint_page = page;
      w.shared->stop.store(1);
      break;
    }
    w.ops++;
  }
  return nullptr;
}

std::string as_text(const Complaint& c, size_t page) {
  char text[160];
  snprintf(text, sizeof text, "page %zu: %s: found %#llx, expected %#llx", page, c.what,
           static_cast<unsigned long long>(c.found), static_cast<unsigned long long>(c.expected));
  return text;
}

// Compares one page with what all threads remember of it. The empty string when it is right.
std::string audit(const std::vector<Worker>& workers, Page& p, size_t page) {
  Memory sum;
  for (const Worker& w : workers) {
    const Memory& m = w.memory[page];
    if (p.count[w.me] != m.count)
      return as_text({"count at the end", p.count[w.me], m.count}, page);
    uint64_t seal = m.count ? hammer::seal_for(m.count, w.me, page) : 0;
    if (p.seal[w.me] != seal) return as_text({"seal at the end", p.seal[w.me], seal}, page);
    sum.added += m.added;
    sum.mixed ^= m.mixed;
    sum.updates += m.updates;
  }
  if (p.added != sum.added) return as_text({"atomic additions", p.added, sum.added}, page);
  if (p.mixed != sum.mixed) return as_text({"mixed values", p.mixed, sum.mixed}, page);
  if (p.lock != 0) return as_text({"lock is still held", p.lock, 0}, page);
  for (uint64_t word : p.block)
    if (word != sum.updates) return as_text({"block at the end", word, sum.updates}, page);
  uint64_t across;
  memcpy(&across, hammer::straddle_of(p), sizeof across);
  if (across != sum.updates) return as_text({"word across two pages", across, sum.updates}, page);
  return {};
}

// The first thing that is wrong with the whole run, or the empty string.
std::string judge(const Options& o, std::vector<Worker>& workers, Shared& shared) {
  for (const Worker& w : workers)
    if (w.complaint.what)
      return "thread " + std::to_string(w.me) + ": " + as_text(w.complaint, w.complaint_page);
  for (size_t page = 0; page < shared.page_count; page++)
    if (std::string problem = audit(workers, shared.pages[page], page); !problem.empty())
      return problem;
  std::vector<uint64_t> ops;
  uint64_t total = 0;
  for (const Worker& w : workers) ops.push_back(w.ops), total += w.ops;
  std::sort(ops.begin(), ops.end());
  uint64_t median = ops[ops.size() / 2];
  printf("# page_hammer: %llu operations by %zu threads on %zu pages; slowest %llu, median %llu, "
         "fastest %llu\n",
         static_cast<unsigned long long>(total), ops.size(), shared.page_count,
         static_cast<unsigned long long>(ops.front()), static_cast<unsigned long long>(median),
         static_cast<unsigned long long>(ops.back()));
  if (total < static_cast<uint64_t>(o.min_ops))
    return std::to_string(total) + " operations, expected " + std::to_string(o.min_ops);
  if (ops.front() * 100 < median * static_cast<uint64_t>(o.min_share))
    return "the slowest thread did " + std::to_string(ops.front()) + " operations, the median " +
           std::to_string(median);
  return {};
}

bool join_in_time(Worker& w) {
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += kJoinSeconds;
  return pthread_timedjoin_np(w.id, nullptr, &until) == 0;
}

// Sleeps until the time is over or a thread has found something.
void let_them_run(const Options& o, Shared& shared) {
  for (long tenth = 0; tenth < o.seconds * 10 && !shared.stop.load(); tenth++) usleep(100000);
  shared.stop.store(1);
}

bool parse(int argc, char** argv, Options& o) {
  const std::pair<const char*, long*> known[] = {
      {"--seconds", &o.seconds}, {"--threads", &o.threads},     {"--pages", &o.pages},
      {"--min-ops", &o.min_ops}, {"--min-share", &o.min_share}, {"--seed", &o.seed}};
  for (int i = 1; i < argc; i += 2) {
    auto match = std::find_if(std::begin(known), std::end(known),
                              [&](auto& k) { return std::string(k.first) == argv[i]; });
    if (match == std::end(known) || i + 1 == argc) return false;
    *match->second = strtol(argv[i + 1], nullptr, 0);
  }
  return o.threads >= 1 && o.threads <= hammer::kMostThreads && o.pages >= 1 && o.seconds >= 1;
}

std::string hammer_pages(const Options& o) {
  // One page more than is hammered: the last straddling word reaches into it.
  size_t bytes = (static_cast<size_t>(o.pages) + 1) * sizeof(Page);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return "mmap failed";
  static Shared shared;
  shared.pages = static_cast<Page*>(memory);
  shared.page_count = static_cast<size_t>(o.pages);
  shared.threads = static_cast<unsigned>(o.threads);
  shared.seed = static_cast<uint64_t>(o.seed);
  std::vector<Worker> workers(static_cast<size_t>(o.threads));
  for (size_t t = 0; t < workers.size(); t++) {
    Worker& w = workers[t];
    w.shared = &shared;
    w.me = static_cast<unsigned>(t);
    w.memory.resize(shared.page_count);
    if (pthread_create(&w.id, nullptr, run, &w) != 0) return "pthread_create failed";
  }
  let_them_run(o, shared);
  for (Worker& w : workers)
    if (!join_in_time(w)) return "thread " + std::to_string(w.me) + " hangs";
  return judge(o, workers, shared);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (!parse(argc, argv, o)) {
    fprintf(stderr, "usage: page_hammer [--seconds S] [--threads T] [--pages P] [--min-ops N] "
                    "[--min-share PERCENT] [--seed S]\n");
    return 2;
  }
  std::string problem = hammer_pages(o);
  if (problem.empty()) {
    puts("PASS page_hammer");
  } else {
    printf("FAIL page_hammer %s\n", problem.c_str());
  }
  fflush(stdout);
  _exit(problem.empty() ? 0 : 1);  // not exit: a thread that hangs may still use static objects
}
