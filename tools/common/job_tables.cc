// SPDX-License-Identifier: Apache-2.0
#include "tools/common/job_tables.h"

#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>

#include "tools/common/text_table.h"

namespace dsm::tools {
namespace {

using nlohmann::json;

double number(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number() ? at->get<double>() : 0;
}

const json& array_of(const json& object, const char* key) {
  static const json kNone = json::array();
  const auto at = object.find(key);
  return at != object.end() && at->is_array() ? *at : kNone;
}

std::string place_of(const json& page) {
  const std::string symbol = page.value("symbol", "");
  if (!symbol.empty()) return symbol;
  const std::string file = page.value("file", "");
  return file.empty() ? "" : fmt::format("{} at {:#x}", file, page.value("file_offset", uint64_t{0}));
}

}  // namespace

std::string node_table(const json& job) {
  TextTable table({"node", "<role", "<host", "threads", "ran", "rfaults", "wfaults", "held", "in", "out", "p50 us", "p99 us"});
  for (const auto& node : array_of(job, "nodes")) {
    const std::string id = fmt::format("{}", node.value("id", 0));
    if (node.value("unresponsive", false)) {
      table.add({id, node.value("role", ""), "(no answer)"});
      continue;
    }
    table.add({id, node.value("drained", false) ? "drained" : node.value("role", ""), node.value("host", ""), short_count(number(node, "threads")),
               short_count(number(node, "threads_run")), short_count(number(node, "read_faults")),
               short_count(number(node, "write_faults")), short_count(number(node, "pages_held")),
               short_bytes(number(node, "bytes_in")), short_bytes(number(node, "bytes_out")),
               as_us(number(node, "fault_p50_ns")), as_us(number(node, "fault_p99_ns"))});
  }
  return table.text();
}

std::string page_table(const json& job) {
  TextTable table({"<page", "moves", "reads", "writes", "writers", "waits", "wait us", "<where"});
  for (const auto& page : array_of(job, "pages"))
    table.add({fmt::format("{:#x}", page.value("addr", uint64_t{0})), short_count(number(page, "moves")),
               short_count(number(page, "reads")), short_count(number(page, "writes")), short_count(number(page, "writers")),
               short_count(number(page, "waits")), as_us(number(page, "wait_ns")), place_of(page)});
  return table.text();
}

std::string thread_table(const json& job) {
  TextTable table({"thread", "node", "<state", "moves", "cpu ms", "calls here", "delegated"});
  for (const auto& thread : array_of(job, "threads")) {
    const std::string state = thread.value("state", "");
    if (state == "ended") continue;
    table.add({fmt::format("{}", thread.value("tid", 0)), fmt::format("{}", thread.value("node", 0)), state,
               short_count(number(thread, "migrations")), short_count(number(thread, "cpu_ns") / 1e6),
               short_count(number(thread, "local_calls")), short_count(number(thread, "delegated_calls"))});
  }
  return table.text();
}

std::string thread_summary(const json& job) {
  std::map<int, int> ran;
  for (const auto& node : array_of(job, "nodes")) ran[node.value("id", 0)] = static_cast<int>(number(node, "threads_run"));
  int remote = 0;
  std::string text = "threads run:";
  for (const auto& [node, count] : ran) {
    text += fmt::format(" node {}: {};", node, count);
    if (node != 0) remote += count;
  }
  text.back() = '\n';
  if (number(job, "migrations") > 0) text += fmt::format("threads moved: {} times\n", short_count(number(job, "migrations")));
  if (remote == 0) text += "no thread ran away from the origin\n";
  return text;
}

}  // namespace dsm::tools
