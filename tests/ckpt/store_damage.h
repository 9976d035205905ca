// SPDX-License-Identifier: Apache-2.0
// Damage to the files of a checkpoint directory, and its repair. Every kind is in the enum; which generations a damage touches is
// known from the undamaged manifests.
#pragma once
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "libdsm/ckpt/job_store.h"

namespace dsm::ckpt::damage {

enum class Kind : unsigned {
  kFlipBit, kFlipLowNibbles, kSetByte, kZeroRun, kTruncate, kTruncatePage, kExtend, kExtendPage, kEmpty, kMissing, kFolder, kLink, kPipe,
  kOtherGeneration, kOtherNode, kOtherKind, kWrongVersion, kPatchAndReseal, kSwapPages, kDropBytes, kInsertBytes, kDuplicate, kCount
};
const char* to_string(Kind kind);

struct Damage {
  Kind kind{};
  std::string path;                 // below the root
  std::set<uint64_t> generations;   // which can no longer be used, unless the damage is where no byte counts
  bool must_be_named = false;
  bool is_commit = false;
};

class DamagedStore {
 public:
  // The store below `root` is sound and stays as it is but for what this object does to it.
  DamagedStore(std::string root, uint64_t seed);

  // Damages a file that was not damaged yet.
  Damage damage();
  void repair();
  // Generations that must still be usable.
  std::set<uint64_t> untouched() const;

 private:
  using Content = std::vector<std::byte>;
  struct File {
    Content content;
    std::set<uint64_t> generations;
    std::vector<bool> counts;  // bytes that a digest covers
    bool is_commit = false;
  };

  uint64_t below(uint64_t limit) { return random_() % limit; }
  size_t pick_offset(const File& file);
  std::string other_file(const std::string& path, Kind kind);
  // False: not possible for this file.
  bool change(const std::string& path, Kind kind, Content& content, bool& named);
  void put(const std::string& path, const Content& content);

  std::string root_;
  std::mt19937_64 random_;
  std::map<std::string, File> files_;
  std::vector<std::string> names_;
  std::set<uint64_t> all_;
  std::map<std::string, Damage> damaged_;
  std::vector<std::string> added_;
};

}  // namespace dsm::ckpt::damage
