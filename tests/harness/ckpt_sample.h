// SPDX-License-Identifier: Apache-2.0
// A small checkpoint whose every byte is known: what the tests of the store write, damage, read and compare.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "libdsm/ckpt/generation_writer.h"
#include "libdsm/ckpt/job_store.h"

namespace dsm::ckpt::sample {

// What a part holds. Pages by their number (address / kPageBytes).
struct Truth {
  std::map<uint64_t, std::vector<std::byte>> pages;
  std::map<std::string, std::vector<std::byte>> sections;
  friend bool operator==(const Truth&, const Truth&) = default;
};

inline constexpr const char* kJob = "4711";
inline constexpr uint16_t kNodes = 2;

// A folder of its own that goes with the object.
class Scratch {
 public:
  explicit Scratch(const std::string& below = "/tmp");
  ~Scratch();
  Scratch(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::byte> random_bytes(size_t bytes, uint64_t seed, bool compressible);
// The state of `node` at `generation`: some pages of each generation before are still as they were.
Truth truth_of(uint64_t generation, NodeId node);

struct WriteOptions {
  int zstd_level = 0;
  uint64_t epoch = 1;
  const Manifest* older = nullptr;  // of the generation before: unchanged pages are kept
};
Result<PreparedPart> write_part(const std::string& root, uint64_t generation, NodeId node, const WriteOptions& options);
// All parts, and commit records by both nodes. Incremental from the second on; every other one is compressed.
Status write_generation(const std::string& root, uint64_t generation);

// Everything a part gives.
Result<Truth> read_part(GenerationReader& reader);

}  // namespace dsm::ckpt::sample
