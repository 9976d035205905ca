// SPDX-License-Identifier: Apache-2.0
#include "libdsm/stats/stats_json.h"

#include <nlohmann/json.hpp>

namespace dsm::stats {
namespace {

template <class T>
nlohmann::json list_of(const std::vector<T>& items) {
  nlohmann::json list = nlohmann::json::array();
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}

}  // namespace

nlohmann::json to_json(const NodeStats& n) {
  return {
      {"id", n.id}, {"role", n.role}, {"host", n.host}, {"agent_pid", n.agent_pid}, {"app_pid", n.app_pid},
      {"threads", n.threads}, {"threads_run", n.threads_run}, {"cpu_ns", n.cpu_ns},
      {"read_faults", n.read_faults}, {"write_faults", n.write_faults}, {"upgrade_faults", n.upgrade_faults},
      {"local_faults", n.local_faults}, {"follower_joins", n.follower_joins},
      {"pages_held", n.pages_held}, {"pages_in", n.pages_in}, {"pages_out", n.pages_out},
      {"bytes_in", n.bytes_in}, {"bytes_out", n.bytes_out},
      {"fault_p50_ns", n.fault_p50_ns}, {"fault_p99_ns", n.fault_p99_ns}, {"faults_timed", n.faults_timed},
      {"invalidations", n.invalidations}, {"downgrades", n.downgrades}, {"migrations", n.migrations}, {"holds", n.holds},
      {"lease_deferrals", n.lease_deferrals},
      {"prefetched", n.prefetched}, {"prefetch_used", n.prefetch_used}, {"prefetch_lost", n.prefetch_lost}, {"extents", n.extents},
      {"zero_filled", n.zero_filled}, {"refusals", n.refusals},
      {"messages_in", n.messages_in}, {"messages_out", n.messages_out},
      {"payload_bytes_copied", n.payload_bytes_copied}, {"system_calls", n.system_calls},
      {"directory_pages", n.directory_pages}, {"directory_bytes", n.directory_bytes},
      {"drained", n.drained},
  };
}

nlohmann::json to_json(const ThreadStats& t) {
  return {{"tid", t.tid}, {"node", t.node}, {"state", t.state}, {"migrations", t.migrations},
          {"cpu_ns", t.cpu_ns}, {"local_calls", t.local_calls}, {"delegated_calls", t.delegated_calls}};
}

nlohmann::json to_json(const PageStats& p) {
  return {{"addr", p.addr}, {"moves", p.moves}, {"reads", p.reads}, {"writes", p.writes},
          {"bounces", p.bounces}, {"readers", p.readers}, {"writers", p.writers}, {"waits", p.waits},
          {"wait_ns", p.wait_ns}, {"lease_deferrals", p.lease_deferrals}, {"last_writer", p.last_writer}};
}

nlohmann::json to_json(const RangeStats& r) {
  return {{"start", r.start}, {"end", r.end}, {"file", r.file}, {"file_offset", r.file_offset}};
}

void add_report(nlohmann::json& object, const StatsReport& report) {
  object["node"] = to_json(report.node);
  object["threads"] = list_of(report.threads);
  object["pages"] = list_of(report.pages);
  object["ranges"] = list_of(report.ranges);
  object["thread_migrations"] = report.thread_migrations;
}

}  // namespace dsm::stats
