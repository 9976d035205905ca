// SPDX-License-Identifier: Apache-2.0
// The memory of one node as its kernel keeps it: the memfd (content or hole for each page), the page table of the one
// process that maps it, the registration of blocks with userfaultfd, and the agent's store of Sent bytes. Each operation
// behaves as the system call of its name does, and one that the kernel would refuse is reported as a failure.
//
// Invariants
//   1. A mapped page has content.
//   2. Only the origin has native blocks (registered MINOR|WP without MISSING): there a touch of a hole is filled
//      without any event.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/block_bits.h"
#include "libdsm/wire/hasher.h"
#include "tests/sim/failure.h"
#include "tests/sim/oracle.h"

namespace dsm::sim {

enum class Mapping : uint8_t { kAbsent = 0, kReadOnly = 1, kWritable = 2 };

class NodeMemory {
 public:
  explicit NodeMemory(bool origin) : origin_(origin) {}

  // ---- What a thread of the program sees ----
  enum class Touch : uint8_t { kGranted, kFilledNatively, kFault };
  // One access of one instruction. A native fill has happened when this returns.
  Touch touch(PageNo, Access);
  // What touch() would answer, without doing it.
  bool would_fault(PageNo, Access) const;
  void write(PageNo, Token);   // after kGranted for Write

  // ---- What the agent does ----
  void install(PageNo, Token, Failure&);             // pwrite into the memfd, creating the page
  void map(PageNo, Access, Failure&);                // UFFDIO_CONTINUE
  void zero_fill(PageNo, Access, Failure&);          // UFFDIO_ZEROPAGE, write-protected for Read
  void unprotect(PageNo, Failure&);                  // UFFDIO_WRITEPROTECT off
  void protect(PageNo, Failure&);                    // UFFDIO_WRITEPROTECT on
  void zap(PageNo first, uint64_t count);            // punch the hole, which unmaps too
  void capture(PageNo, Failure&);
  void restore(PageNo, Failure&);
  void forget(PageNo);
  void open_block(BlockNo);                          // register MISSING
  wire::BlockBits present(BlockNo) const;            // SEEK_DATA

  std::optional<Token> content(PageNo) const;
  std::optional<Token> sent(PageNo) const;
  Mapping mapping(PageNo) const;
  bool native(BlockNo) const;
  bool holds_part_of(BlockNo) const;
  void digest(Hasher&) const;

 private:
  struct Slot {
    PageNo page;
    Token content = kZero;
    Mapping mapping = Mapping::kAbsent;
  };
  struct Kept {
    PageNo page;
    Token content = kZero;
  };
  Slot* find(PageNo);
  const Slot* find(PageNo) const;
  void create(PageNo, Token, Mapping);
  std::vector<Slot> slots_;    // pages with content, sorted
  std::vector<Kept> sent_;     // sorted
  std::vector<BlockNo> open_;  // origin only
  bool origin_;
};

}  // namespace dsm::sim
