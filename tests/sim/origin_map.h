// SPDX-License-Identifier: Apache-2.0
// The origin's address map, as far as the protocol sees it: which pages exist and what they allow. It keeps its history,
// so that a refusal can be judged by what was true at any moment of the access it refused.
#pragma once
#include <cstdint>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"

namespace dsm::sim {

enum class Protection : uint8_t { kUnmapped, kNone, kRead, kReadWrite };

class OriginMap {
 public:
  void set(const PageRange&, Protection, uint64_t step);
  Protection at(PageNo) const;
  bool allows(PageNo, Access) const;
  // Whether the map forbade the access at any moment since `step`.
  bool forbade_since(PageNo, Access, uint64_t step) const;
  // What the agent puts into BlockInfo; `present` comes from the memory.
  wire::BlockInfo describe(BlockNo, const wire::BlockBits& present) const;

 private:
  struct Change {
    PageRange range;
    Protection protection;
    uint64_t step;
  };
  std::vector<Change> changes_;  // later ones win; everything starts kReadWrite
};

}  // namespace dsm::sim
