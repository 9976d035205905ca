// SPDX-License-Identifier: Apache-2.0
// AddressMap: what the program has mapped, as the origin's runtime reported it. It is the only authority that may refuse
// an access. Lives at the origin; owner-thread only.
//
// Invariants
//  1. Ranges are page aligned, not empty, and do not overlap; neighbours are not merged.
//  2. A kFileRead range has a file.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "libdsm/base/ids.h"
#include "libdsm/os/fd.h"

namespace dsm::memory {

enum class RangeKind : uint8_t {
  kPrivate = 1,   // content in the memfd
  kFileRead = 2,  // native mapping at the origin; content for others comes from the file
  kPinned = 3,    // never leaves the origin
};

inline constexpr uint32_t kRead = 1, kWrite = 2, kExecute = 4;  // as PROT_*

struct MappedFile {
  os::Fd fd;          // may be none where only the name matters
  std::string path;
};

struct MappedRange {
  uint64_t start = 0, end = 0;
  uint32_t protection = 0;
  RangeKind kind = RangeKind::kPrivate;
  uint64_t file_offset = 0;  // of `start`
  uint64_t file_bytes = 0;   // kFileRead: bytes of the file behind the range
  std::shared_ptr<const MappedFile> file;

  bool contains(uint64_t address) const { return address >= start && address < end; }
  bool readable() const { return protection != 0; }  // x86: what can be executed or written can be read
  bool writable() const { return protection & kWrite; }
};

class AddressMap {
 public:
  // Replaces whatever is there.
  void add(MappedRange range);
  void remove(uint64_t start, uint64_t length);
  // Holes inside the range stay holes.
  void protect(uint64_t start, uint64_t length, uint32_t protection);
  // What of the range is kPrivate becomes kPinned, at the same place and with the same rights.
  void pin(uint64_t start, uint64_t length);
  void clear() { ranges_.clear(); }

  // nullptr outside all ranges. Valid until the next change.
  const MappedRange* find(uint64_t address) const;
  // Calls f(range, start, end) for each piece of [start, start+length), in order.
  void for_each(uint64_t start, uint64_t length,
                const std::function<void(const MappedRange&, uint64_t start, uint64_t end)>& f) const;
  size_t size() const { return ranges_.size(); }

 private:
  using Ranges = std::map<uint64_t, MappedRange>;
  // Splits the range that contains `address` so that one begins there.
  void split_at(uint64_t address);

  Ranges ranges_;
};

}  // namespace dsm::memory
