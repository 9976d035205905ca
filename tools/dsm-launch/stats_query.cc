// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/stats_query.h"

#include <algorithm>

namespace dsm::tools {
namespace {

using nlohmann::json;

constexpr size_t kPagesShown = 32;

void append(json& to, const json& from, const char* key) {
  if (!from.contains(key) || !from[key].is_array()) return;
  for (const auto& element : from[key]) to.push_back(element);
}

template <class Key>
void sort_descending(json& array, Key key) {
  std::vector<json> elements(array.begin(), array.end());
  std::stable_sort(elements.begin(), elements.end(), [&](const json& a, const json& b) { return key(a) > key(b); });
  array = std::move(elements);
}

}  // namespace

StatsQuery::StatsQuery(json job, std::set<int> waiting_for, TimeNs deadline, Answer answer)
    : job_(std::move(job)), waiting_for_(std::move(waiting_for)), deadline_(deadline), answer_(std::move(answer)) {
  job_["nodes"] = json::array();
  job_["pages"] = json::array();
  job_["threads"] = json::array();
  job_["ranges"] = json::array();
  job_["migrations"] = 0;
}

void StatsQuery::add(int node, const json& event) {
  if (!waiting_for_.erase(node)) return;
  if (event.contains("node") && event["node"].is_object()) job_["nodes"].push_back(event["node"]);
  append(job_["pages"], event, "pages");
  append(job_["threads"], event, "threads");
  append(job_["ranges"], event, "ranges");  // the origin's only
  job_["migrations"] = job_["migrations"].get<uint64_t>() + event.value("thread_migrations", uint64_t{0});  // likewise
}

void StatsQuery::finish() {
  for (const int node : waiting_for_)
    job_["nodes"].push_back({{"id", node}, {"role", node ? "worker" : "origin"}, {"unresponsive", true}});
  sort_descending(job_["nodes"], [](const json& n) { return -n.value("id", 0); });
  sort_descending(job_["threads"], [](const json& t) { return -t.value("tid", 0); });
  sort_descending(job_["pages"], [](const json& p) { return p.value("moves", uint64_t{0}); });
  auto& pages = job_["pages"];
  if (pages.size() > kPagesShown) pages.erase(pages.begin() + kPagesShown, pages.end());
  answer_(job_);
}

}  // namespace dsm::tools
