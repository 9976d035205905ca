// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/node_facts.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

namespace dsm::tools {
namespace {

std::string text(const nlohmann::json& facts, const char* key) {
  const auto found = facts.find(key);
  return found != facts.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string shown(const std::string& value) { return value.empty() ? "one that does not say" : value; }

}  // namespace

NodeFacts parse_facts(const nlohmann::json& facts) {
  NodeFacts out;
  if (!facts.is_object()) return out;
  out.version = text(facts, "version");
  out.runtime = text(facts, "runtime");
  out.kernel = text(facts, "kernel");
  out.saved_registers = text(facts, "xcr0");
  if (const auto bytes = facts.find("page_bytes"); bytes != facts.end() && bytes->is_number_integer()) out.page_bytes = bytes->get<int>();
  if (const auto cpu = facts.find("cpu"); cpu != facts.end() && cpu->is_array())
    for (const auto& name : *cpu)
      if (name.is_string()) out.cpu.insert(name.get<std::string>());
  return out;
}

std::string other_version(const NodeFacts& node, const std::string& here, const std::string& host) {
  if (node.version == here) return {};
  return fmt::format("dsm on {} is version {}, here it is {}; install the same on both", host, shown(node.version), shown(here));
}

std::string misfit(const NodeFacts& origin, const NodeFacts& node, const std::string& host) {
  if (std::string problem = other_version(node, origin.version, host); !problem.empty()) return problem;
  if (node.runtime != origin.runtime)
    return fmt::format("dsm-runtime on {} is another build than here; install the same files on both", host);
  if (node.page_bytes != origin.page_bytes)
    return fmt::format("{} has pages of {} bytes, this machine of {}", host, node.page_bytes, origin.page_bytes);
  std::vector<std::string> missing;
  std::set_difference(origin.cpu.begin(), origin.cpu.end(), node.cpu.begin(), node.cpu.end(), std::back_inserter(missing));
  if (!missing.empty())
    return fmt::format("the processor of {} lacks what a program that starts here may use: {}; start the job on {}, or on a machine like it", host,
                       fmt::join(missing, " "), host);
  if (node.saved_registers != origin.saved_registers)
    return fmt::format("{} keeps other registers for a thread than this machine (XCR0 {} and {}), so that no thread can move between them", host,
                       shown(node.saved_registers), shown(origin.saved_registers));
  return {};
}

std::string other_vdso(const NodeFacts& origin, const NodeFacts& node, const std::string& host) {
  if (node.kernel == origin.kernel) return {};
  return fmt::format("{} runs Linux {}, this machine {}: clocks cannot be read without system calls; leave --clock to auto, or say origin", host,
                     shown(node.kernel), shown(origin.kernel));
}

}  // namespace dsm::tools
