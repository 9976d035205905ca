// SPDX-License-Identifier: Apache-2.0
// What the directory knows of a page, for tools and proofs.
#pragma once
#include <cstdint>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"

namespace dsm::pagedir {

enum class DirState : uint8_t {
  kNative = 0,     // in a block that the origin has not given up: the origin's, contents unknown
  kUntouched = 1,  // nobody has content; reads as zeros
  kShared = 2,     // every holder may read
  kExclusive = 3,  // one holder may read and write
};

struct PageView {
  DirState state = DirState::kNative;
  wire::NodeSet holders;     // Shared: the sharers; Exclusive: the owner
  wire::Version version = 0;
  bool busy = false;         // a transaction covers it
  unsigned waiters = 0;
};

struct HotPage {
  PageNo page;
  uint64_t moves = 0;        // transfers of content between nodes
  uint64_t reads = 0, writes = 0;
  uint64_t bounces = 0;      // write grants to another node than the last writer
  uint64_t lease_deferrals = 0;
  unsigned writers = 0, readers = 0;   // nodes (modulo 64) that asked
  uint64_t waits = 0, wait_ns = 0;     // requests that queued behind another, and how long
  NodeId last_writer;
};

}  // namespace dsm::pagedir
