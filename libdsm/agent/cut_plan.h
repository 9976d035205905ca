// SPDX-License-Identifier: Apache-2.0
// CutPlan: the pages that this node writes into a checkpoint, in the groups in which the store takes them. Made on the agent's thread
// while the world is stopped and drained; it then stands for itself, so that another thread can write what it names.
#pragma once
#include <cstdint>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/coherence/cut_selection.h"
#include "libdsm/memory/address_map.h"
#include "libdsm/os/memfd.h"

namespace dsm::agent {

// As ckpt::PageBlock: pages of the 64 from number * 64 on.
struct CutGroup {
  uint64_t number = 0;
  uint64_t pages = 0;
  friend bool operator==(const CutGroup&, const CutGroup&) = default;
};
using CutPlan = std::vector<CutGroup>;  // by number, no number twice

// A worker: what was selected.
CutPlan plan_of(const coherence::CutSelection& selection);

// The origin: of kPrivate ranges only, what was selected, and what is present in blocks of which the cache knows nothing. What is
// mapped from files comes from them again; pinned memory is another mapping, and the process image's.
Result<CutPlan> plan_of_origin(const coherence::CutSelection& selection, const coherence::CacheController& cache, const memory::AddressMap& map,
                               const os::Memfd& memory);

uint64_t pages_of(const CutPlan& plan);

}  // namespace dsm::agent
