// SPDX-License-Identifier: Apache-2.0
// Manifest: everything that a node's part of a generation consists of, and where the bytes are. Complete: what it does not name is
// absent. Plain data; decode_manifest() takes any bytes and returns only what satisfies the invariants.
//
// Invariants
//  1. files: generations rise, none is newer than the manifest's; the last is the manifest's own.
//  2. sections: names are distinct and not empty; their chunks follow one another and leave none over.
//  3. blocks: numbers do not fall; entries with one number have disjoint `pages`; pages is a part of stored, neither is empty.
//  4. Every BlockRef lies in its file; two that overlap are equal (one block that is used twice).
#pragma once
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/ckpt/ckpt_format.h"
#include "libdsm/ckpt/file_bytes.h"

namespace dsm::ckpt {

// Whose part of what. A job's name is also that of its folder.
struct PartIdentity {
  std::string job;
  std::string program;  // path, for people
  uint64_t epoch = 0;
  uint64_t generation = 0;  // from 1
  NodeId node{};
  uint16_t nodes = 1;
};

struct Section {
  std::string name;
  uint64_t bytes = 0;
  uint32_t first_chunk = 0, chunks = 0;
};

struct Manifest {
  PartIdentity identity;
  std::vector<FileEntry> files;
  std::vector<Section> sections;
  std::vector<BlockRef> chunks;
  std::vector<PageBlock> blocks;

  uint64_t pages() const;
  const Section* find_section(const std::string& name) const;
};

// Ends with the digest of all before.
std::vector<std::byte> encode(const Manifest& manifest);
// The error says what is wrong, in words that follow the file's name.
Result<Manifest> decode_manifest(Bytes file);
// The digest at the end of an encoded manifest.
Digest seal_of(Bytes file);
// Why it cannot be written or used; empty: fine.
std::string objection_to(const PartIdentity& identity);
std::string objection_to(const Manifest& manifest);

}  // namespace dsm::ckpt
