// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-ckpt/ckpt_report.h"

#include <fmt/core.h>

#include <bit>
#include <nlohmann/json.hpp>

#include "tools/common/text_table.h"

namespace dsm::tools {
namespace {

using nlohmann::json;

// A damaged manifest may hold any bytes.
std::string printable(std::string text) {
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

json describe(const ckpt::GenerationReader& part) {
  const ckpt::Manifest& manifest = part.manifest();
  std::vector<uint64_t> used(manifest.files.size()), blocks(manifest.files.size());
  uint64_t stored = 0;
  auto count = [&](const ckpt::BlockRef& ref) {
    used[ref.file] += ref.stored_bytes;
    ++blocks[ref.file];
    stored += ref.stored_bytes;
  };
  for (const auto& chunk : manifest.chunks) count(chunk);
  for (const auto& block : manifest.blocks) count(block.where);
  json files = json::array(), sections = json::array();
  for (size_t n = 0; n < manifest.files.size(); ++n)
    files.push_back({{"generation", manifest.files[n].generation}, {"bytes", manifest.files[n].file_bytes}, {"used_bytes", used[n]}, {"blocks", blocks[n]}});
  for (const auto& section : manifest.sections) sections.push_back({{"name", printable(section.name)}, {"bytes", section.bytes}});
  return {{"node", manifest.identity.node.value}, {"path", part.path()}, {"pages", manifest.pages()}, {"stored_bytes", stored},
          {"written_bytes", manifest.files.back().file_bytes}, {"files", files}, {"sections", sections}};
}

json describe(ckpt::GenerationState& state, Depth depth) {
  const bool usable = depth == Depth::kData ? state.verify() : state.usable();
  json holders = json::array(), present = json::array(), parts = json::array();
  for (const NodeId holder : state.holders) holders.push_back(holder.value);
  for (const NodeId node : state.present) present.push_back(node.value);
  uint64_t pages = 0, stored = 0;
  for (const auto& part : state.parts) {
    parts.push_back(describe(*part));
    pages += parts.back()["pages"].get<uint64_t>();
    stored += parts.back()["stored_bytes"].get<uint64_t>();
  }
  return {{"generation", state.generation}, {"committed", state.committed()}, {"usable", usable}, {"epoch", state.commit ? json(state.commit->epoch) : json()},
          {"nodes", state.commit ? json(state.commit->parts.size()) : json()}, {"commit_holders", holders}, {"manifests_of", present},
          {"pages", pages}, {"stored_bytes", stored}, {"parts", parts}, {"findings", state.findings}};
}

std::string state_word(const json& generation) {
  if (!generation["committed"]) return "not committed";
  return generation["usable"] ? generation["findings"].empty() ? "good" : "good, with findings" : "cannot be used";
}

std::string number(const json& value) { return value.is_number() ? std::to_string(value.get<uint64_t>()) : "-"; }

}  // namespace

Result<json> job_report(const ckpt::Roots& roots, const std::string& job, uint64_t generation, Depth depth) {
  auto states = ckpt::inspect_job(roots, job);
  if (!states.ok()) return states.error();
  json generations = json::array(), newest;
  std::string program;
  for (auto& state : *states) {
    if (generation != 0 && state.generation != generation) continue;
    if (program.empty() && !state.parts.empty()) program = printable(state.parts[0]->manifest().identity.program);
    generations.push_back(describe(state, depth));
    if (newest.is_null() && generations.back()["usable"]) newest = state.generation;
    state.parts.clear();
  }
  if (generations.empty()) return Error{fmt::format("job {} has no generation {}", job, generation), ENOENT};
  return json{{"job", job}, {"program", program}, {"newest_usable", newest}, {"generations", generations}};
}

std::string generation_table(const json& job) {
  std::string text = fmt::format("job {}  {}\n", job["job"].get<std::string>(), job["program"].get<std::string>());
  TextTable table({"generation", "<state", "nodes", "epoch", "pages", "stored"});
  std::string findings;
  for (const json& generation : job["generations"]) {
    table.add({number(generation["generation"]), state_word(generation), number(generation["nodes"]), number(generation["epoch"]),
               short_count(generation["pages"].get<double>()), short_bytes(generation["stored_bytes"].get<double>())});
    for (const json& finding : generation["findings"]) findings += fmt::format("  {}\n", finding.get<std::string>());
  }
  return text + table.text() + findings;
}

std::string part_tables(const json& job) {
  std::string text;
  for (const json& generation : job["generations"]) {
    if (generation["parts"].empty()) continue;
    text += fmt::format("\ngeneration {}\n", generation["generation"].get<uint64_t>());
    TextTable table({"node", "pages", "stored", "written", "<blocks from generations", "<sections"});
    for (const json& part : generation["parts"]) {
      std::string files, sections;
      for (const json& file : part["files"])
        files += fmt::format("{}{}: {}", files.empty() ? "" : ", ", file["generation"].get<uint64_t>(), file["blocks"].get<uint64_t>());
      for (const json& section : part["sections"])
        sections += fmt::format("{}{} {}", sections.empty() ? "" : ", ", section["name"].get<std::string>(), short_bytes(section["bytes"].get<double>()));
      table.add({number(part["node"]), short_count(part["pages"].get<double>()), short_bytes(part["stored_bytes"].get<double>()),
                 short_bytes(part["written_bytes"].get<double>()), files, sections});
    }
    text += table.text();
  }
  return text;
}

}  // namespace dsm::tools
