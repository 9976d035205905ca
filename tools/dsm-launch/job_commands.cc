// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/job_commands.h"

#include <fmt/core.h>

namespace dsm::tools {
namespace {

using nlohmann::json;

void refuse(LineStream& client, const std::string& why) { client.send({{"error", why}}); }

// A number of the question, or -1.
int number(const json& question, const char* key) {
  const auto at = question.find(key);
  return at != question.end() && at->is_number_integer() ? at->get<int>() : -1;
}

}  // namespace

std::string JobCommands::name_of(const json& question) {
  if (!question.is_object()) return "";
  const auto at = question.find("cmd");
  return at != question.end() && at->is_string() ? at->get<std::string>() : "";
}

bool JobCommands::ask(LineStream& client, const json& question) {
  const std::string what = name_of(question);
  if (what == "move") move(client, question);
  else if (what == "drain" || what == "undrain") drain(client, number(question, "node"), what == "drain");
  else return false;
  return true;
}

bool JobCommands::exists(LineStream& client, int node) {
  if (node >= 0 && node < nodes_) return true;
  refuse(client, fmt::format("there is no node {}: the job has nodes 0 to {}", node, nodes_ - 1));
  return false;
}

void JobCommands::move(LineStream& client, const json& question) {
  const int node = number(question, "node");
  if (!exists(client, node)) return;
  const int id = next_id_++;
  moves_[id] = &client;
  tell_(0, {{"cmd", "move"}, {"id", id}, {"tid", number(question, "tid")}, {"node", node}});
}

void JobCommands::drain(LineStream& client, int node, bool on) {
  if (!exists(client, node)) return;
  if (node == 0) return refuse(client, "node 0 is the origin, which makes the system calls of all threads: it cannot be drained");
  if (on == drained_.contains(node) && !on) return refuse(client, fmt::format("node {} is not drained", node));
  if (on) drained_.insert(node);
  else drained_.erase(node);
  for (int agent = 0; agent < nodes_; ++agent) tell_(agent, {{"cmd", "drain"}, {"node", node}, {"on", on}});
  if (on) {
    drains_.emplace(node, &client);
    return;
  }
  client.send({{"done", true}});
  for (auto [at, end] = drains_.equal_range(node); at != end; at = drains_.erase(at))
    refuse(*at->second, fmt::format("node {} takes threads again: somebody else said undrain", node));
}

bool JobCommands::take_event(const json& event) {
  const std::string what = event.value("event", "");
  if (what == "moved") {
    const auto asked = moves_.find(event.value("id", 0));
    if (asked == moves_.end()) return true;
    const std::string error = event.value("error", "");
    if (error.empty()) asked->second->send({{"done", true}});
    else refuse(*asked->second, error);
    moves_.erase(asked);
    return true;
  }
  if (what != "drain") return false;
  const bool done = event.value("done", false);
  auto [at, end] = drains_.equal_range(event.value("node", -1));
  while (at != end) {
    json line = {{"threads", event.value("threads", 0)}, {"pages", event.value("pages", 0)}};
    if (done) line["done"] = true;
    at->second->send(line);
    at = done ? drains_.erase(at) : std::next(at);
  }
  return true;
}

void JobCommands::forget(const LineStream& client) {
  std::erase_if(moves_, [&](const auto& waiting) { return waiting.second == &client; });
  std::erase_if(drains_, [&](const auto& waiting) { return waiting.second == &client; });
}

}  // namespace dsm::tools
