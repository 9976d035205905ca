// SPDX-License-Identifier: Apache-2.0
// CommitRecord: what makes a generation count. It names the manifest of every node's part by its digest, so a part of another
// attempt, node or generation cannot take its place. Functions: any thread.
#pragma once
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/ckpt/ckpt_format.h"
#include "libdsm/ckpt/file_bytes.h"

namespace dsm::ckpt {

struct CommitRecord {
  std::string job;
  uint64_t generation = 0, epoch = 0;
  NodeId holder{};
  std::vector<CommitEntry> parts;  // one a node
};

std::vector<std::byte> encode(const CommitRecord& record);
// The error says what is wrong, in words that follow the file's name.
Result<CommitRecord> decode_commit(Bytes file);

// Durable below `root` when it returns success; on failure there is no such record there.
Status write_commit(const std::string& root, const CommitRecord& record);

}  // namespace dsm::ckpt
