// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scenario.h"

#include <algorithm>
#include <string>

#include "tests/sim/sim_random.h"

namespace dsm::sim {
namespace {

// "A bounded number of grants": eight nodes may fight for four pages at once. Where messages take far longer than any
// hold, only the growing persistence of those that lose pages decides, which takes longer.
constexpr Timing kOrdinary{{50, 2'000}, {2'000, 40'000}, {100, 20'000}, 2, 2'000, false};
constexpr Timing kChaotic{{50, 20'000}, {500, 1'000'000}, {100, 200'000}, 30, 20'000, true};

class Builder {
 public:
  Builder(uint64_t seed, const Overrides& overrides) : random_(seed), overrides_(overrides) { scenario_.seed = seed; }

  Scenario build() {
    scenario_.nodes = static_cast<unsigned>(random_.between(2, random_.percent(70) ? 4 : 8));
    if (overrides_.nodes) scenario_.nodes = *overrides_.nodes;
    scenario_.timing = random_.percent(50) ? kOrdinary : kChaotic;
    scenario_.map = pagedir::ShardMap::uniform(
        scenario_.nodes, static_cast<unsigned>(random_.percent(50) ? 64 : random_.between(scenario_.nodes + 1, 16)));
    choose_policies();
    choose_pages();
    choose_threads();
    choose_disturbances();
    return scenario_;
  }

 private:
  void choose_policies() {
    coherence::CacheConfig& cache = scenario_.cache;
    cache.nodes = scenario_.nodes;
    cache.mutation = overrides_.mutation;
    // Shorter than the time from a wake to the instruction, no hold could keep a promise.
    if (random_.percent(20)) cache.hold_ns = random_.between(scenario_.timing.instruction.high, 100'000);
    switch (random_.below(3)) {
      case 0: cache.lease.mode = coherence::LeaseMode::kOff; break;
      case 1: cache.lease.mode = coherence::LeaseMode::kAuto; break;
      default:
        cache.lease.mode = coherence::LeaseMode::kFixed;
        cache.lease.fixed_ns = random_.between(1'000, 200'000);
    }
    cache.prefetch_max = random_.percent(50) ? 64 : static_cast<uint16_t>(random_.between(1, 8));
    cache.zero_batch_max = random_.percent(50) ? 64 : static_cast<uint16_t>(random_.between(1, 4));
  }

  // A few blocks, some hot pages in each; neighbours often, so that runs and extents cross them.
  void choose_pages() {
    const uint64_t blocks = random_.between(1, 3);
    for (uint64_t b = 0; b < blocks; ++b) {
      const BlockNo block{0x1000 + random_.below(4096)};
      const uint64_t count = random_.between(1, 6);
      uint64_t index = random_.below(kPagesPerBlock - 64);
      for (uint64_t i = 0; i < count; ++i) {
        scenario_.pages.push_back(first_page(block) + index);
        index += random_.percent(70) ? 1 : random_.between(2, 9);
      }
    }
    auto& pages = scenario_.pages;
    std::sort(pages.begin(), pages.end());
    pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  }

  PageNo any_page() { return scenario_.pages[random_.below(scenario_.pages.size())]; }
  NodeId any_node() { return NodeId{static_cast<uint16_t>(random_.below(scenario_.nodes))}; }

  Operation access(unsigned pages, unsigned write_percent) {
    Operation op;
    while (op.pages < std::min<size_t>(pages, scenario_.pages.size())) {
      const PageNo page = any_page();
      if (std::find(op.page.begin(), op.page.begin() + op.pages, page) != op.page.begin() + op.pages) continue;
      op.page[op.pages] = page;
      op.access[op.pages++] = random_.percent(write_percent) ? Access::kWrite : Access::kRead;
    }
    return op;
  }

  void choose_threads() {
    const uint64_t count = random_.between(scenario_.nodes, 2 * scenario_.nodes);
    for (uint64_t i = 0; i < count; ++i) {
      ScriptedThread thread;
      thread.id = ThreadId{static_cast<int32_t>(1000 + i)};
      thread.node = i < scenario_.nodes ? NodeId{static_cast<uint16_t>(i)} : any_node();
      if (random_.percent(25))
        write_scan(thread);
      else
        write_mix(thread);
      scenario_.threads.push_back(std::move(thread));
    }
  }

  void write_mix(ScriptedThread& thread) {
    const uint64_t operations = random_.between(4, 24);
    const auto write_percent = static_cast<unsigned>(random_.between(10, 90));
    for (uint64_t i = 0; i < operations; ++i) {
      if (random_.percent(4)) thread.script.push_back({Operation::Kind::kBlock});
      if (random_.percent(3)) {
        Operation move{Operation::Kind::kMigrate};
        move.to = any_node();
        thread.script.push_back(move);
      }
      const unsigned pages = random_.percent(80) ? 1 : static_cast<unsigned>(random_.between(2, Operation::kMaxPages));
      thread.script.push_back(access(pages, write_percent));
    }
  }

  // Pages in rising order, as a loop over an array touches them: reading, writing, or first the one and then the other.
  void write_scan(ScriptedThread& thread) {
    const bool updates = random_.percent(35);
    Access kind = updates || random_.percent(70) ? Access::kRead : Access::kWrite;
    const uint64_t rounds = updates ? 2 * random_.between(1, 2) : random_.between(1, 3);
    for (uint64_t round = 0; round < rounds; ++round) {
      for (const PageNo page : scenario_.pages) {
        Operation op;
        op.pages = 1;
        op.page[0] = page;
        op.access[0] = kind;
        thread.script.push_back(op);
      }
      if (updates) kind = kind == Access::kRead ? Access::kWrite : Access::kRead;
    }
  }

  PageRange any_range() {
    const PageNo page = any_page();
    if (random_.percent(60)) return {page, random_.between(1, 8)};
    if (random_.percent(50)) return {first_page(page.block()), kPagesPerBlock};
    return {PageNo{page.value - random_.below(16)}, random_.between(17, 2 * kPagesPerBlock)};
  }

  void choose_disturbances() {
    const uint64_t horizon = scenario_.timing.chaotic ? 8'000'000 : 1'000'000;
    const auto& without = overrides_.without;
    const auto add = [&](Disturbance::Kind kind) {
      Disturbance d;
      d.kind = kind;
      d.at_ns = random_.below(horizon);
      d.lasts_ns = random_.log_uniform(1'000, horizon / 4);
      d.range = any_range();
      d.node = any_node();
      d.to = any_node();
      if (std::find(without.begin(), without.end(), kind) == without.end()) scenario_.disturbances.push_back(d);
    };
    if (random_.percent(50))
      for (uint64_t n = random_.between(1, 4); n > 0; --n)
        add(static_cast<Disturbance::Kind>(random_.below(static_cast<unsigned>(Disturbance::Kind::kEvict))));
    if (random_.percent(50))
      for (uint64_t n = random_.between(1, 10); n > 0; --n) add(Disturbance::Kind::kEvict);
    if (random_.percent(15)) add(Disturbance::Kind::kLoseDirectory);
  }

  Random random_;
  Overrides overrides_;
  Scenario scenario_;
};

}  // namespace

Scenario make_scenario(uint64_t seed, const Overrides& overrides) { return Builder(seed, overrides).build(); }

std::string describe(const Scenario& scenario) {
  const auto number = [](uint64_t n) { return std::to_string(n); };
  std::string text = number(scenario.nodes) + " nodes, " + number(scenario.threads.size()) + " threads, " +
                     number(scenario.pages.size()) + " pages, " + (scenario.timing.chaotic ? "chaotic" : "ordinary") +
                     " timing, hold " + number(scenario.cache.hold_ns) + " ns, lease " +
                     number(static_cast<unsigned>(scenario.cache.lease.mode)) + ", prefetch " +
                     number(scenario.cache.prefetch_max) + ", disturbances";
  for (const Disturbance& d : scenario.disturbances) text += std::string(" ") + name_of(d.kind);
  return text;
}

std::vector<Disturbance::Kind> all_disturbances() {
  std::vector<Disturbance::Kind> list;
  for (unsigned k = 0; k <= static_cast<unsigned>(Disturbance::Kind::kLoseDirectory); ++k)
    list.push_back(static_cast<Disturbance::Kind>(k));
  return list;
}

const char* name_of(Disturbance::Kind kind) {
  static constexpr const char* kNames[] = {"drop", "unmap", "read-only", "inaccessible", "fork", "evict", "lose-directory"};
  return kNames[static_cast<unsigned>(kind)];
}

}  // namespace dsm::sim
