// SPDX-License-Identifier: Apache-2.0
// Which node writes the pages that several nodes can read, when a checkpoint is cut.
#pragma once
#include "libdsm/base/ids.h"
#include "libdsm/wire/block_bits.h"

namespace dsm::pagedir {

// Pages of one block whose sharers are represented by `writer`: the lowest of them, so the origin wherever it is one. It knows
// the address map, and leaves out what comes from a file.
struct CutShare {
  NodeId writer;
  BlockNo block;
  wire::BlockBits pages;
};

}  // namespace dsm::pagedir
