// SPDX-License-Identifier: Apache-2.0
// Fills a memfd with the pages of all parts of a generation: the restored process begins with everything at the origin. Blocking; before
// the program runs.
#pragma once
#include <memory>
#include <vector>

#include "libdsm/ckpt/generation_reader.h"
#include "libdsm/os/memfd.h"

namespace dsm::agent {

struct LoadedMemory {
  uint64_t pages = 0;
};

// `memory` is empty and large enough for the address space. EBADMSG: something is damaged, or two parts have the same page. After a
// failure the memory has some of the pages and must not be used.
Result<LoadedMemory> load_memory(const std::vector<std::unique_ptr<ckpt::GenerationReader>>& parts, os::Memfd& memory);

}  // namespace dsm::agent
