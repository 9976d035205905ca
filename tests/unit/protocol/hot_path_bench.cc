// SPDX-License-Identifier: Apache-2.0
// CPU time of the protocol objects alone: one read fault is Request, Fetch, Data, Done over four object calls. Prints
// `hot_path_ns N`; fails above 1 us, so that nobody makes the fault path slow without noticing.
#include <chrono>
#include <cstdio>

#include "tests/unit/protocol/small_cluster.h"

using namespace dsm;

namespace {

struct Node {
  coherence::CacheController cache;
  pagedir::DirectoryService directory;
};

// Delivers until nothing is left; payloads do not exist here.
unsigned settle(std::vector<Node>& nodes, std::vector<wire::Envelope>& queue, coherence::Actions& actions, pagedir::Sends& sends, TimeNs now) {
  unsigned delivered = 0;
  for (size_t i = 0; i < queue.size(); ++i) {
    const wire::Envelope e = queue[i];
    ++delivered;
    if (wire::is_for_directory(e.message)) {
      sends.clear();
      if (nodes[e.dst.value].directory.on_message(e, now, sends)) return 0;
      for (const auto& s : sends) queue.push_back({e.dst, s.dst, s.message});
    } else {
      actions.clear();
      nodes[e.dst.value].cache.on_message(e, now, actions);
      for (const auto& a : actions) {
        if (const auto* s = std::get_if<coherence::Send>(&a)) queue.push_back({e.dst, s->dst, s->message});
        if (const auto* o = std::get_if<coherence::OpenNative>(&a)) {
          wire::BlockInfo info{o->block, wire::BlockBits::all(), wire::BlockBits::all(), wire::BlockBits::all(), {}, wire::BlockBits::all(), {}};
          coherence::Actions answer;
          nodes[0].cache.on_block_presence(o->block, info, now, answer);
          for (const auto& b : answer)
            if (const auto* t = std::get_if<coherence::Send>(&b)) queue.push_back({NodeId{0}, t->dst, t->message});
        }
      }
    }
  }
  queue.clear();
  return delivered;
}

}  // namespace

int main() {
  const unsigned blocks = 64;
  const auto map = pagedir::ShardMap::uniform(2);
  std::vector<Node> nodes;
  for (uint16_t n = 0; n < 2; ++n) {
    auto config = test::SmallCluster::quiet();
    config.self = NodeId{n};
    config.nodes = 2;
    nodes.push_back({coherence::CacheController(config, map), pagedir::DirectoryService({NodeId{n}, 2, {}}, map)});
  }
  std::vector<wire::Envelope> queue;
  coherence::Actions actions;
  pagedir::Sends sends;
  TimeNs now = 1;
  unsigned messages = 0, faults = 0;
  auto fault = [&](unsigned node, PageNo page, Access access) {
    actions.clear();
    now += 1000;
    nodes[node].cache.on_fault({page, access, ThreadId{1}, page.address()}, now, actions);
    for (const auto& a : actions)
      if (const auto* s = std::get_if<coherence::Send>(&a)) queue.push_back({NodeId{static_cast<uint16_t>(node)}, s->dst, s->message});
    messages += settle(nodes, queue, actions, sends, now);
    ++faults;
  };
  auto sweep = [&](Access access, unsigned node) {
    const auto start = std::chrono::steady_clock::now();
    messages = faults = 0;
    for (unsigned i = 0; i < kPagesPerBlock; ++i)
      for (unsigned b = 0; b < blocks; ++b) fault(node, test::page_at(100 + b, i), access);
    const double ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
    return ns / faults;
  };
  sweep(Access::kRead, 1);  // opens the blocks
  sweep(Access::kWrite, 1);
  double read_ns = 1e9, write_ns = 1e9;
  unsigned per_read = 0;
  for (int round = 0; round < 5; ++round) {
    read_ns = std::min(read_ns, sweep(Access::kRead, 0));
    per_read = messages / faults;
    sweep(Access::kWrite, 0);
    write_ns = std::min(write_ns, sweep(Access::kWrite, 1));
  }
  size_t bytes = 0;
  uint64_t pages = 0;
  for (const Node& n : nodes) {
    bytes += n.directory.memory_bytes();
    pages += n.directory.tracked_pages();
  }
  std::printf("hot_path_ns %.0f (read fault, %u messages), %.0f (write move); directory %.1f bytes a page, all pages moved\n", read_ns,
              per_read, write_ns, static_cast<double>(bytes) / static_cast<double>(pages));
  const bool ok = read_ns < 1000 && write_ns < 1000 && per_read == 4;
  std::puts(ok ? "PASS hot_path" : "FAIL hot_path the protocol objects take too long or too many messages");
  return ok ? 0 : 1;
}
