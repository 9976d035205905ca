// SPDX-License-Identifier: Apache-2.0
// The kernel's /proc/self/maps or smaps, mapping by mapping, without keeping it. Context: handler at the origin.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace dsm::runtime {

class MapsReader {
 public:
  explicit MapsReader(const char* path);
  ~MapsReader();
  MapsReader(const MapsReader&) = delete;
  MapsReader& operator=(const MapsReader&) = delete;

  // The mapping whose line was read last; start == end == ~0 behind the last one.
  struct Mapping {
    uint64_t start, end, offset;
    char rights[5];
    const char* rest;    // device, inode and name, as they stand in the line
    const char* name;    // "" if it has none
    bool has_file;
  };
  const Mapping& mapping() const { return mapping_; }
  // On to the next mapping; what is left of its details is skipped.
  void next();
  // The next line of details (smaps), or nullptr behind the last one of this mapping. Valid until the next call.
  const char* next_detail();

 private:
  bool read_line();
  void parse_mapping();

  static constexpr size_t kChunkBytes = 4096, kLineBytes = 4096 + 128;
  int64_t fd_;
  size_t filled_ = 0, taken_ = 0;
  bool line_waits_ = false;      // read, but not yet given out: the next mapping's
  Mapping mapping_ = {};
  char chunk_[kChunkBytes];
  char line_[kLineBytes];
  char mapping_line_[kLineBytes];
};

}  // namespace dsm::runtime
