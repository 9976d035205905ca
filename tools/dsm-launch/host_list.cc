// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/host_list.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>

namespace dsm::tools {
namespace {

constexpr int kMostSlots = 256;       // as many as a job may have nodes
constexpr size_t kMostHosts = 4096;   // of one range; more is a slip of the pen

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

std::optional<long> number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

Result<int> slots_of(std::string_view text, std::string_view where) {
  const auto value = number(text);
  if (!value || *value < 1 || *value > kMostSlots)
    return Error{fmt::format("{}: slots must be a number from 1 to {}, found '{}'", quoted(where), kMostSlots, text)};
  return static_cast<int>(*value);
}

// ssh must take it for a host, never for an option, and a shell that meets it must find nothing to do.
Status check_name(std::string_view name) {
  const auto harmless = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("._-:@%").find(c) != std::string_view::npos; };
  if (name.empty()) return Error{"an empty host name"};
  if (name[0] == '-' || !std::all_of(name.begin(), name.end(), harmless)) return Error{quoted(name) + " is not a host name"};
  const std::string address(name.substr(0, name.find('%')));
  in6_addr unused;
  if (address.find(':') != std::string::npos && inet_pton(AF_INET6, address.substr(address.rfind('@') + 1).c_str(), &unused) != 1)
    return Error{quoted(name) + " is neither a host name nor an IPv6 address"};
  return success();
}

std::vector<std::string_view> split(std::string_view text, char separator, bool outside_brackets) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size()) {
      if (outside_brackets && text[i] == '[') ++depth;
      if (outside_brackets && text[i] == ']') --depth;
      if (text[i] != separator || depth > 0) continue;
    }
    parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  return parts;
}

// "01-16" or "7" between `before` and `after`; the width of the first number is kept.
Status append_range(std::string_view range, std::string_view before, std::string_view after, std::vector<std::string>& names) {
  const size_t dash = range.find('-');
  const std::string_view from = range.substr(0, dash), to = dash == std::string_view::npos ? from : range.substr(dash + 1);
  const auto first = number(from), last = number(to);
  if (!first || !last || *last < *first || static_cast<size_t>(*last - *first) >= kMostHosts)
    return Error{quoted(range) + " is not a range of numbers such as 01-16"};
  for (long n = *first; n <= *last; ++n) names.push_back(fmt::format("{}{:0{}}{}", before, n, from.size(), after));
  return success();
}

// node[01-03,7]x -> node01x node02x node03x node07x... ; a name without brackets is itself.
Result<std::vector<std::string>> expand(std::string_view pattern) {
  const size_t open = pattern.find('[');
  std::vector<std::string> names;
  if (open == std::string_view::npos) {
    names.emplace_back(pattern);
  } else {
    const size_t close = pattern.find(']', open);
    if (close == std::string_view::npos || pattern.find('[', open + 1) != std::string_view::npos)
      return Error{quoted(pattern) + ": one pair of brackets with numbers is understood, as in node[01-16]"};
    for (const auto range : split(pattern.substr(open + 1, close - open - 1), ',', false))
      if (const Status s = append_range(range, pattern.substr(0, open), pattern.substr(close + 1), names); !s) return s.error();
  }
  for (const auto& name : names)
    if (const Status s = check_name(name); !s) return s.error();
  return names;
}

void add(std::vector<HostSlots>& hosts, const std::string& name, int slots) {
  const auto known = std::find_if(hosts.begin(), hosts.end(), [&](const HostSlots& h) { return h.name == name; });
  if (known == hosts.end()) hosts.push_back({name, slots});
  else known->slots += slots;
}

// "[::1]" and "[::1]:2" are addresses, "node[1-2]" is a range. True: `word` was split into name and slots.
bool split_bracketed_address(std::string_view word, std::string_view& name, std::string_view& slots) {
  if (!word.starts_with('[') || word.find(':') > word.find(']')) return false;
  const size_t close = word.find(']');
  if (close == std::string_view::npos) return false;
  name = word.substr(1, close - 1);
  slots = word.substr(close + 1);
  return true;
}

}  // namespace

Result<std::vector<HostSlots>> parse_host_list(std::string_view text) {
  std::vector<HostSlots> hosts;
  for (const auto word : split(text, ',', true)) {
    std::string_view pattern = word, slots;
    if (!split_bracketed_address(word, pattern, slots) && std::count(word.begin(), word.end(), ':') == 1) {
      pattern = word.substr(0, word.find(':'));
      slots = word.substr(word.find(':'));
    }
    int count = 1;
    if (!slots.empty()) {
      if (slots[0] != ':') return Error{quoted(word) + ": HOST or HOST:SLOTS is understood"};
      auto given = slots_of(slots.substr(1), word);
      if (!given) return given.error();
      count = *given;
    }
    auto names = expand(pattern);
    if (!names) return names.error();
    for (const auto& name : *names) add(hosts, name, count);
  }
  return hosts;
}

Result<std::vector<HostSlots>> parse_host_file(std::string_view text, const std::string& path) {
  std::vector<HostSlots> hosts;
  int line_number = 0;
  for (auto line : split(text, '\n', false)) {
    const std::string where = fmt::format("{}, line {}", path, ++line_number);
    line = line.substr(0, line.find('#'));
    std::vector<std::string_view> words;
    for (size_t begin; (begin = line.find_first_not_of(" \t\r")) != std::string_view::npos;) {
      const size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
      words.push_back(line.substr(begin, end - begin));
      line = line.substr(end);
    }
    if (words.empty()) continue;
    int count = 1;
    for (size_t i = 1; i < words.size(); ++i) {
      if (!words[i].starts_with("slots=")) return Error{fmt::format("{}: NAME or NAME slots=N is understood, found '{}'", where, words[i])};
      auto given = slots_of(words[i].substr(6), words[i]);
      if (!given) return Error{where + ": " + given.error().what};
      count = *given;
    }
    auto names = expand(words[0]);
    if (!names) return Error{where + ": " + names.error().what};
    for (const auto& name : *names) add(hosts, name, count);
  }
  if (hosts.empty()) return Error{path + ": names no host"};
  return hosts;
}

Result<std::vector<std::string>> take_slots(const std::vector<HostSlots>& hosts, int nodes) {
  const int there = std::accumulate(hosts.begin(), hosts.end(), 0, [](int sum, const HostSlots& h) { return sum + h.slots; });
  if (nodes > there)
    return Error{fmt::format("{} nodes are wanted, and the hosts have {} slot{}; give more hosts, or slots as in a:2", nodes, there, there == 1 ? "" : "s")};
  if (!nodes && there > kMostSlots) return Error{fmt::format("the hosts have {} slots; a job has at most {} nodes: choose with -n", there, kMostSlots)};
  std::vector<std::string> names;
  for (const auto& host : hosts) names.insert(names.end(), static_cast<size_t>(host.slots), host.name);
  if (nodes) names.resize(static_cast<size_t>(nodes));
  return names;
}

}  // namespace dsm::tools
