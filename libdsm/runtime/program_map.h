// SPDX-License-Identifier: Apache-2.0
// What the program has mapped: a sorted array of disjoint ranges with what lies behind each. It also says where there is
// room. Not thread-safe: the owner (AddressSpace) holds its lock.
//
// Invariants: 1. ranges are page-aligned, not empty, sorted, disjoint; 2. neighbours that continue each other are one
// range; 3. every range of a file holds one reference to it.
#pragma once
#include "libdsm/runtime/arena.h"
#include "libdsm/runtime/file_references.h"

namespace dsm::runtime {

enum RangeFlags : uint32_t {
  kRangeShared = 1,     // MAP_SHARED|MAP_ANONYMOUS: stays shared with a forked child
  kRangeRuntime = 2,    // not the program's: never given, changed or reported
  kRangeNoReserve = 0x100,   // MAP_NORESERVE: not counted when it becomes writable
  kRangeLocked = 0x200,      // mlock; a promise to the program only, where a page lives is not its to say
  kRangeNotForked = 0x400,   // MADV_DONTFORK: absent in a forked child
  kRangeWiped = 0x800,       // MADV_WIPEONFORK: zero in a forked child
  kRangeGrowsDown = 0x1000,  // MAP_GROWSDOWN, and the main stack
};

struct Range {
  uint64_t start, end;
  abi::MapKind kind;
  uint32_t prot;            // PROT_*
  uint32_t flags;           // RangeFlags
  uint32_t pad;
  FileReference* file;      // private and read-only file ranges; nullptr otherwise
  uint64_t offset;          // in the file, of `start`

  uint64_t bytes() const { return end - start; }
  // The offset in the file of an address inside.
  uint64_t offset_of(uint64_t address) const { return offset + (address - start); }
};

class ProgramMap {
 public:
  void initialise(Arena& arena);
  // As after initialise(); what the ranges refer to is gone already.
  void clear();
  size_t size() const { return count_; }
  const Range& at(size_t index) const { return range_[index]; }
  // Index of the first range that ends after `address`; size() when there is none.
  size_t first_after(uint64_t address) const;
  const Range* find(uint64_t address) const;
  bool is_free(uint64_t start, uint64_t end) const;
  // True if [start,end) has no hole and nothing of the runtime.
  bool is_covered(uint64_t start, uint64_t end) const;

  // Takes over one reference of range.file. The place must be free. False when the map is full.
  bool insert(const Range& range, FileReferences& files);
  // Removes [start,end), cutting ranges at its ends; references follow.
  bool erase(uint64_t start, uint64_t end, FileReferences& files);
  // Cuts ranges so that `start` and `end` are edges, then sets prot between them.
  bool set_prot(uint64_t start, uint64_t end, uint32_t prot, FileReferences& files);
  // Likewise: flags := (flags & ~clear) | set.
  bool set_flags(uint64_t start, uint64_t end, uint32_t set, uint32_t clear, FileReferences& files);

  // The highest free place of `bytes` below `limit` and not below `floor`, aligned; 0 when there is none.
  uint64_t highest_gap(uint64_t bytes, uint64_t align, uint64_t floor, uint64_t limit) const;

 private:
  template <class Change>
  bool change(uint64_t start, uint64_t end, FileReferences& files, Change change_range);
  bool split_at(uint64_t address, FileReferences& files);
  void remove_at(size_t index, size_t count);
  bool insert_at(size_t index, const Range& range);
  void merge_around(size_t index, FileReferences& files);

  static constexpr size_t kCapacity = 1 << 17;
  Range* range_ = nullptr;
  size_t count_ = 0;
};

}  // namespace dsm::runtime
