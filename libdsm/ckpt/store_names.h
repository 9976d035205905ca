// SPDX-License-Identifier: Apache-2.0
// Where things are below a checkpoint directory (--ckpt-dir). Pure.
//
//   DIR/JOB/node-K/gen-G.data        bytes of node K's part of generation G; named by manifests of G and of later ones
//   DIR/JOB/node-K/gen-G.manifest    there: the part is complete and durable ("prepared")
//   DIR/JOB/commit-G.by-H            there: generation G counts. Two nodes H keep one each
//   *.tmp                            being written
// A folder node-K belongs to node K whosever disk it is on. DIR may be on several disks, each with a part of all this.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libdsm/base/ids.h"

namespace dsm::ckpt {

struct CommitName {
  uint64_t generation = 0;
  NodeId holder{};
};

enum class PartFile { kData, kManifest };
struct PartName {
  PartFile file{};
  uint64_t generation = 0;
  bool temporary = false;
};

std::string node_folder(NodeId node);
std::string data_name(uint64_t generation);
std::string manifest_name(uint64_t generation);
std::string commit_name(uint64_t generation, NodeId holder);

// Nothing for a name that is not exactly as the functions above make it.
std::optional<NodeId> node_of(std::string_view folder);
std::optional<PartName> part_of(std::string_view name);  // with or without ".tmp"
std::optional<CommitName> commit_of(std::string_view name);

}  // namespace dsm::ckpt
