// SPDX-License-Identifier: Apache-2.0
#include "libdsm/ckpt/store_names.h"

#include <charconv>

namespace dsm::ckpt {
namespace {

// A number as std::to_string writes it, from the front of `text`.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto digits = static_cast<size_t>(end - text.data());
  if (error != std::errc() || (digits > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

std::optional<NodeId> take_node(std::string_view& text) {
  const auto number = take_number(text);
  if (!number || *number >= kMaxNodes) return std::nullopt;
  return NodeId{static_cast<uint16_t>(*number)};
}

}  // namespace

std::string node_folder(NodeId node) { return "node-" + std::to_string(node.value); }
std::string data_name(uint64_t generation) { return "gen-" + std::to_string(generation) + ".data"; }
std::string manifest_name(uint64_t generation) { return "gen-" + std::to_string(generation) + ".manifest"; }
std::string commit_name(uint64_t generation, NodeId holder) {
  return "commit-" + std::to_string(generation) + ".by-" + std::to_string(holder.value);
}

std::optional<NodeId> node_of(std::string_view folder) {
  if (!take(folder, "node-")) return std::nullopt;
  const auto node = take_node(folder);
  return folder.empty() ? node : std::nullopt;
}

std::optional<PartName> part_of(std::string_view name) {
  PartName part;
  if (!take(name, "gen-")) return std::nullopt;
  const auto generation = take_number(name);
  if (!generation || *generation == 0) return std::nullopt;
  part.generation = *generation;
  if (take(name, ".data")) part.file = PartFile::kData;
  else if (take(name, ".manifest")) part.file = PartFile::kManifest;
  else return std::nullopt;
  part.temporary = take(name, ".tmp");
  return name.empty() ? std::optional(part) : std::nullopt;
}

std::optional<CommitName> commit_of(std::string_view name) {
  if (!take(name, "commit-")) return std::nullopt;
  const auto generation = take_number(name);
  if (!generation || *generation == 0 || !take(name, ".by-")) return std::nullopt;
  const auto holder = take_node(name);
  if (!holder || !name.empty()) return std::nullopt;
  return CommitName{*generation, *holder};
}

}  // namespace dsm::ckpt
