// SPDX-License-Identifier: Apache-2.0
// What one agent says about itself when it is asked: plain values, gathered by the agent, written as JSON by
// stats_json.h in the form of the schema dsm-stat/1. Times in ns, sizes in bytes.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace dsm::stats {

struct NodeStats {
  unsigned id = 0;
  std::string role;  // "origin", "worker"
  std::string host;
  int agent_pid = 0, app_pid = 0;
  uint64_t threads = 0;      // here now
  uint64_t threads_run = 0;  // program threads that ran here at any time
  uint64_t cpu_ns = 0;       // CPU time of the program, or vessel; 0 once the process is gone
  uint64_t read_faults = 0, write_faults = 0, upgrade_faults = 0, local_faults = 0, follower_joins = 0;
  uint64_t pages_held = 0, pages_in = 0, pages_out = 0, bytes_in = 0, bytes_out = 0;
  uint64_t fault_p50_ns = 0, fault_p99_ns = 0, faults_timed = 0;
  uint64_t invalidations = 0, downgrades = 0, migrations = 0, holds = 0, lease_deferrals = 0;
  uint64_t prefetched = 0, prefetch_used = 0, prefetch_lost = 0, extents = 0, zero_filled = 0, refusals = 0;
  uint64_t messages_in = 0, messages_out = 0, payload_bytes_copied = 0, system_calls = 0;
  uint64_t directory_pages = 0, directory_bytes = 0;
  bool drained = false;
};

struct ThreadStats {
  int tid = 0;
  unsigned node = 0;
  std::string state;  // "running", "blocked", "shadow"
  uint64_t migrations = 0, cpu_ns = 0, local_calls = 0, delegated_calls = 0;
};

struct PageStats {
  uint64_t addr = 0;
  uint64_t moves = 0, reads = 0, writes = 0, bounces = 0, readers = 0, writers = 0, waits = 0, wait_ns = 0, lease_deferrals = 0;
  unsigned last_writer = 0;
};

// A file mapping of the program. The origin knows them all; whoever shows the pages of all nodes names them by these.
struct RangeStats {
  uint64_t start = 0, end = 0, file_offset = 0;
  std::string file;
};

struct StatsReport {
  NodeStats node;
  std::vector<ThreadStats> threads;
  std::vector<PageStats> pages;
  std::vector<RangeStats> ranges;
  uint64_t thread_migrations = 0;  // completed moves of threads; the origin's agent counts them all
};

}  // namespace dsm::stats
