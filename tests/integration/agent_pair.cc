// SPDX-License-Identifier: Apache-2.0
// Real agents (dsmd) around a fake application and fake vessels that share one region by page faults: the data path
// without the runtime. Prints PASS and FAIL lines; with --measure also the latencies.
//
//   agent_pair --dsmd PATH [--only NAME] [--poll auto|always|never] [--measure] [-v]
//   agent_pair vessel FD        (how an agent starts its vessel)
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

#include "libdsm/os/clock.h"
#include "tests/integration/agent_pair_job.h"
#include "tests/integration/agent_pair_runtime.h"

namespace {

using namespace agent_pair;
using dsm::abi::kProtRead;
using dsm::abi::kProtWrite;

constexpr uint64_t kPage = 4096;
constexpr uint32_t kReadWrite = kProtRead | kProtWrite;
constexpr uint64_t kBlock = 2u << 20;

void demand(bool ok, const std::string& what) {
  if (ok) return;
  errno = 0;
  give_up("wrong: " + what);
}
void demand_equal(uint64_t got, uint64_t wanted, const std::string& what) {
  demand(got == wanted, what + ": got " + std::to_string(got) + ", wanted " + std::to_string(wanted));
}

// The application's side of a scenario: itself, and a channel to each vessel.
struct Stage {
  FakeRuntime runtime;
  std::vector<int> channel;  // by node; [0] unused

  explicit Stage(int socket) : runtime(socket) {
    dsm::abi::Welcome welcome = runtime.hello();
    channel.assign(welcome.nodes, -1);
    for (uint32_t k = 1; k < welcome.nodes; ++k) channel[k] = runtime.open_channel(k);
  }
  uint64_t load(unsigned node, uint64_t at) { return on(node, {Do::kLoad, 0, at, 0, 0}).value; }
  void store(unsigned node, uint64_t at, uint64_t value) { on(node, {Do::kStore, 0, at, value, 0}); }
  Answer on(unsigned node, const Order& order) { return node == 0 ? perform(order) : ask(channel[node], order); }
};

int pass_values(int socket) {
  Stage s(socket);
  s.runtime.map(kRegion, 8 * kBlock, kReadWrite);
  uint64_t a = kRegion + 3 * kPage;
  s.store(0, a, 41);
  demand_equal(s.load(1, a), 41, "value of the origin at node 1");
  s.store(1, a, 42);
  demand_equal(s.load(0, a), 42, "value of node 1 at the origin");
  for (uint64_t i = 0; i < 200; ++i) {
    s.store(i % 2, a, i);
    demand_equal(s.load((i + 1) % 2, a), i, "value after " + std::to_string(i) + " hand-overs");
  }
  // Untouched memory reads as zeros wherever it is touched first, and stays what was stored.
  uint64_t b = kRegion + 5 * kBlock;
  demand_equal(s.load(1, b), 0, "untouched page at node 1");
  demand_equal(s.load(0, b), 0, "the same page at the origin");
  s.store(1, b + kPage, 7);
  demand_equal(s.load(0, b + kPage), 7, "first touch by a store at node 1");
  demand_equal(s.load(0, b + 2 * kPage), 0, "neighbour in node 1's extent");
  return 0;
}

int count_together(int socket) {
  Stage s(socket);
  constexpr uint64_t kEach = 20000, kCounters = 4;
  s.runtime.map(kRegion, kBlock, kReadWrite);
  unsigned nodes = static_cast<unsigned>(s.channel.size());
  for (uint64_t c = 0; c < kCounters; ++c) {
    uint64_t at = kRegion + c * kPage;
    std::vector<std::thread> others;
    for (unsigned k = 1; k < nodes; ++k) others.emplace_back([&s, k, at] { s.on(k, {Do::kAdd, 0, at, 0, kEach}); });
    perform({Do::kAdd, 0, at, 0, kEach});
    for (std::thread& t : others) t.join();
    demand_equal(s.load(0, at), kEach * nodes, "sum of locked additions");
  }
  return 0;
}

int share_bulk(int socket) {
  Stage s(socket);
  constexpr uint64_t kBytes = 32 * kBlock;
  s.runtime.map(kRegion, kBytes, kReadWrite);
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kBytes / 8; ++i) {
    reinterpret_cast<volatile uint64_t*>(kRegion)[i] = i * 0x9e3779b97f4a7c15u;
    sum += i * 0x9e3779b97f4a7c15u;
  }
  for (unsigned k = 1; k < s.channel.size(); ++k)
    demand_equal(s.on(k, {Do::kSum, 0, kRegion, 0, kBytes}).value, sum, "sum read by node " + std::to_string(k));
  demand_equal(perform({Do::kSum, 0, kRegion, 0, kBytes}).value, sum, "sum read again by the origin");
  return 0;
}

int change_map(int socket) {
  Stage s(socket);
  uint64_t a = kRegion, b = kRegion + kBlock;
  s.runtime.map(a, kBlock, kReadWrite);
  s.store(1, a, 5);
  s.store(0, a + kPage, 6);
  demand_equal(s.load(1, a + kPage), 6, "before the drop");
  s.runtime.drop(a, kBlock);
  demand_equal(s.load(0, a), 0, "dropped at the origin");
  demand_equal(s.load(1, a + kPage), 0, "dropped at node 1");

  s.store(1, a, 8);
  s.runtime.protect(a, kPage, kProtRead);
  demand_equal(s.load(0, a), 8, "read-only page at the origin");
  demand_equal(s.load(1, a), 8, "read-only page at node 1");
  demand_equal(s.on(1, {Do::kExpectFault, 0, a, 1, 0}).value, static_cast<uint64_t>(dsm::abi::Refusal::kProtection),
               "store to a read-only page");
  s.runtime.protect(a, kPage, 0);
  demand_equal(s.on(1, {Do::kExpectFault, 0, a, 0, 0}).value, static_cast<uint64_t>(dsm::abi::Refusal::kProtection),
               "load from a page without rights");
  s.runtime.protect(a, kPage, kReadWrite);
  demand_equal(s.load(1, a), 8, "content outlives protections");

  demand_equal(s.on(1, {Do::kExpectFault, 0, b, 0, 0}).value, static_cast<uint64_t>(dsm::abi::Refusal::kUnmapped),
               "load outside the map");
  s.runtime.unmap(a, kBlock);
  demand_equal(s.on(1, {Do::kExpectFault, 0, a, 0, 0}).value, static_cast<uint64_t>(dsm::abi::Refusal::kUnmapped),
               "load after munmap");
  s.runtime.map(a, kBlock, kReadWrite);
  demand_equal(s.load(1, a), 0, "address used again");
  s.store(1, a, 9);
  s.runtime.freeze(a, kBlock);
  demand_equal(s.load(0, a), 9, "frozen content at the origin");
  s.runtime.thaw(a, kBlock);
  s.store(1, a, 10);
  demand_equal(s.load(0, a), 10, "after the thaw");
  return 0;
}

// Two workers that are connected to node 0 long before they are to each other: the application must not be let in before,
// or what one of them asks of the other's shards is lost.
int late_mesh(int socket) {
  Stage s(socket);
  constexpr uint64_t kBlocks = 128;  // some of each node's shards
  s.runtime.map(kRegion, kBlocks * kBlock, kReadWrite);
  for (unsigned node : {1u, 2u})
    for (uint64_t b = 0; b < kBlocks; ++b) s.store(node, kRegion + b * kBlock + node * kPage, b + node);
  for (uint64_t b = 0; b < kBlocks; ++b) {
    demand_equal(s.load(2, kRegion + b * kBlock + kPage), b + 1, "value of node 1 at node 2");
    demand_equal(s.load(1, kRegion + b * kBlock + 2 * kPage), b + 2, "value of node 2 at node 1");
  }
  return 0;
}

int map_files(int socket) {
  Stage s(socket);
  dsm::os::Fd file(::memfd_create("file", 0));
  std::string text(2 * kPage + 100, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  demand(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()), "writing the file");
  s.runtime.map(kRegion, 4 * kPage, kProtRead, dsm::abi::MapKind::kFileRead, file.get(), text.size());
  uint64_t second, last = 0;
  std::memcpy(&second, text.data() + kPage, 8);
  std::memcpy(&last, text.data() + 2 * kPage + 96, 4);
  demand_equal(s.load(1, kRegion + kPage), second, "file content at node 1");
  demand_equal(s.load(1, kRegion + 2 * kPage + 96), last, "zeros behind the end of the file");
  demand_equal(s.load(0, kRegion + kPage), second, "file content at the origin");
  demand_equal(s.on(1, {Do::kExpectFault, 0, kRegion, 1, 0}).value, static_cast<uint64_t>(dsm::abi::Refusal::kProtection),
               "store to a file mapping");
  demand_equal(s.on(1, {Do::kExpectFault, 0, kRegion + 3 * kPage, 0, 0}).value,
               static_cast<uint64_t>(dsm::abi::Refusal::kBeyondFile), "load beyond the file");
  s.runtime.map(kRegion + kBlock, kPage, kProtRead, dsm::abi::MapKind::kPinned, file.get());
  demand_equal(s.on(1, {Do::kExpectFault, 0, kRegion + kBlock, 0, 0}).value,
               static_cast<uint64_t>(dsm::abi::Refusal::kPinned), "load from a pinned page");
  // The same addresses as anonymous memory: zeros, not the file.
  s.runtime.unmap(kRegion, 4 * kPage);
  s.runtime.map(kRegion, 4 * kPage, kReadWrite);
  demand_equal(s.load(1, kRegion + kPage), 0, "anonymous memory where the file was");
  return 0;
}

int measure(int socket) {
  Stage s(socket);
  constexpr uint64_t kPages = 2000;
  s.runtime.map(kRegion, 64 * kBlock, kReadWrite);
  for (uint64_t i = 0; i < kPages; ++i) s.store(0, kRegion + i * kPage, i + 1);
  auto show = [](const char* what, Answer a) {
    std::printf("  %-22s median %6.2f us   p99 %7.2f us\n", what, double(a.value) / 1e3, double(a.p99) / 1e3);
  };
  show("read fault", s.on(1, {Do::kTimeLoads, 0, kRegion, 0, kPages}));
  show("upgrade", s.on(1, {Do::kTimeStores, 0, kRegion, 0, kPages}));
  show("write move to origin", s.on(0, {Do::kTimeStores, 0, kRegion, 0, kPages}));
  show("write move to node 1", s.on(1, {Do::kTimeStores, 0, kRegion, 0, kPages}));
  uint64_t fresh = kRegion + 16 * kBlock;
  std::printf("  %-22s %6.2f us a page\n", "first touch, origin", double(perform({Do::kFill, 0, fresh, 1, 4096}).value) / 1e3);
  fresh += 16 * kBlock;
  std::printf("  %-22s %6.2f us a page\n", "first touch, node 1", double(s.on(1, {Do::kFill, 0, fresh, 1, 4096}).value) / 1e3);
  uint64_t begin = dsm::os::now_ns();
  s.on(1, {Do::kSum, 0, kRegion + 16 * kBlock, 0, 4096 * kPage});
  std::printf("  %-22s %6.0f MiB/s\n", "sequential read", 16.0 * 1e9 / double(dsm::os::now_ns() - begin));
  std::fflush(stdout);
  return 0;
}

struct Scenario {
  const char* name;
  unsigned nodes;
  int (*application)(int socket);
  int hold_link_ms = 0;
};
constexpr Scenario kScenarios[] = {
    {"pass_values", 2, pass_values},       {"count_together", 2, count_together},
    {"count_together_4", 4, count_together}, {"share_bulk", 2, share_bulk},
    {"share_bulk_3", 3, share_bulk},       {"change_map", 2, change_map},
    {"map_files", 2, map_files},           {"late_mesh", 3, late_mesh, 400},
};

bool run(const Scenario& scenario, JobOptions options) {
  options.nodes = scenario.nodes;
  options.hold_link_ms = scenario.hold_link_ms;
  Job job(options);
  job.start(scenario.application);
  int status = job.wait_application(30000);
  bool moved = true;
  for (unsigned k = 1; k < scenario.nodes; ++k) {
    nlohmann::json stats = job.stats(k);
    if (options.verbose) std::fprintf(stderr, "%s\n", stats.dump().c_str());
    moved = moved && stats.is_object() && stats["node"]["read_faults"].get<uint64_t>() + stats["node"]["write_faults"].get<uint64_t>() > 0;
  }
  bool ended = job.shut_down();
  if (status == 0 && moved && ended) std::printf("PASS %s\n", scenario.name);
  else std::printf("FAIL %s application %d%s%s\n", scenario.name, status, moved ? "" : ", no faults counted", ended ? "" : ", agents did not end");
  std::fflush(stdout);
  return status == 0 && moved && ended;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && !std::strcmp(argv[1], "vessel")) run_vessel(std::atoi(argv[2]));
  JobOptions options;
  std::string only;
  bool timing = false;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg == "-v") options.verbose = true;
    else if (arg == "--measure") timing = true;
    else if (i + 1 < argc && arg == "--dsmd") options.dsmd = argv[++i];
    else if (i + 1 < argc && arg == "--only") only = argv[++i];
    else if (i + 1 < argc && arg == "--poll") options.poll = argv[++i];
    else if (i + 1 < argc && arg == "--encrypt") options.encrypt = argv[++i];
    else if (i + 1 < argc && arg == "--lease") options.lease = argv[++i];
    else return std::fprintf(stderr, "agent_pair: bad argument %s\n", argv[i]), 2;
  }
  bool good = true;
  if (timing) return run({"measure", 2, measure}, options) ? 0 : 1;
  for (const Scenario& scenario : kScenarios)
    if (only.empty() || only == scenario.name) good = run(scenario, options) && good;
  return good ? 0 : 1;
}
