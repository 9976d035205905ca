// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/stats_collector.h"

#include "libdsm/os/process.h"

namespace dsm::agent {
namespace {

constexpr size_t kHottestPages = 32;

void add_pages(const pagedir::DirectoryService& directory, stats::StatsReport& report) {
  for (const pagedir::HotPage& hot : directory.hottest(kHottestPages)) {
    stats::PageStats p;
    p.addr = hot.page.address();
    p.moves = hot.moves;
    p.reads = hot.reads;
    p.writes = hot.writes;
    p.bounces = hot.bounces;
    p.readers = hot.readers;
    p.writers = hot.writers;
    p.waits = hot.waits;
    p.wait_ns = hot.wait_ns;
    p.lease_deferrals = hot.lease_deferrals;
    p.last_writer = hot.last_writer.value;
    report.pages.push_back(p);
  }
}

void add_ranges(const memory::AddressMap& map, stats::StatsReport& report) {
  map.for_each(0, abi::kUserEnd, [&](const memory::MappedRange& range, uint64_t start, uint64_t end) {
    if (range.file && !range.file->path.empty())
      report.ranges.push_back({start, end, range.file_offset, range.file->path});
  });
}

}  // namespace

stats::StatsReport collect_stats(const Configure& config, const Engine& engine, RuntimeService& runtime,
                                 const transport::Transport& transport) {
  const coherence::CacheCounters& cache = engine.cache().counters();
  const coherence::HeldPages held = engine.cache().held();
  const transport::Counters wire = transport.counters();
  const stats::Histogram& latency = engine.latency().histogram();
  const memory::AddressMap* map = config.is_origin() ? &runtime.space().map() : nullptr;

  stats::StatsReport report;
  stats::NodeStats& n = report.node;
  n.id = config.node.value;
  n.role = config.is_origin() ? "origin" : "worker";
  n.host = os::host_name();
  n.agent_pid = os::own_pid();
  n.app_pid = runtime.pid();
  n.threads = runtime.board().threads_here(config.node);
  n.threads_run = runtime.board().threads_run(config.node);
  n.cpu_ns = runtime.pid() > 0 ? os::process_cpu_ns(runtime.pid()) : 0;
  n.read_faults = cache.read_faults;
  n.write_faults = cache.write_faults;
  n.upgrade_faults = cache.upgrade_faults;
  n.local_faults = cache.local_faults;
  n.follower_joins = cache.follower_joins;
  n.pages_held = held.shared + held.exclusive;
  n.pages_in = cache.pages_in;
  n.pages_out = cache.pages_out;
  n.bytes_in = wire.bytes_in;
  n.bytes_out = wire.bytes_out;
  n.fault_p50_ns = latency.percentile(0.50);
  n.fault_p99_ns = latency.percentile(0.99);
  n.faults_timed = latency.count();
  n.invalidations = cache.invalidations;
  n.downgrades = cache.downgrades;
  n.migrations = cache.migrations;
  n.holds = cache.holds;
  n.lease_deferrals = cache.lease_deferrals;
  n.prefetched = cache.prefetched;
  n.prefetch_used = cache.prefetch_used;
  n.prefetch_lost = cache.prefetch_lost;
  n.extents = cache.extents;
  n.zero_filled = cache.zero_filled;
  n.refusals = cache.refusals;
  n.messages_in = wire.messages_in;
  n.messages_out = wire.messages_out;
  n.payload_bytes_copied = wire.payload_bytes_copied;
  n.system_calls = wire.system_calls;
  n.directory_pages = engine.directory().tracked_pages();
  n.directory_bytes = engine.directory().memory_bytes();

  if (config.is_origin()) report.thread_migrations = runtime.thread_migrations();
  runtime.board().list(config.node, report.threads);
  add_pages(engine.directory(), report);
  if (map) add_ranges(*map, report);
  return report;
}

abi::ReplyStats collect_runtime_stats(const Engine& engine, const transport::Transport& transport) {
  const coherence::CacheCounters& cache = engine.cache().counters();
  const transport::Counters wire = transport.counters();
  return {0, cache.read_faults, cache.write_faults, cache.pages_in, cache.pages_out, wire.bytes_in, wire.bytes_out};
}

}  // namespace dsm::agent
