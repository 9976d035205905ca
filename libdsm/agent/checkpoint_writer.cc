// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/checkpoint_writer.h"

#include <bit>
#include <vector>

namespace dsm::agent {

// A page that the plan names and the memfd does not have would be read as zeros, which is wrong unless somebody wrote zeros: the plan
// was made of what is held, so that is not asked again here.
Status write_pages(std::span<const CutGroup> plan, const os::Memfd& memory, ckpt::GenerationWriter& out) {
  std::vector<std::byte> bytes(ckpt::kBlockBytes);
  for (const CutGroup& group : plan) {
    size_t filled = 0;
    for (uint64_t left = group.pages; left != 0;) {
      const auto first = static_cast<unsigned>(std::countr_zero(left));
      const auto count = static_cast<unsigned>(std::countr_one(left >> first));
      const uint64_t address = (group.number * ckpt::kBlockPages + first) * kPageBytes;
      if (const int error = memory.read(address, std::span(bytes).subspan(filled, count * kPageBytes)))
        return system_error("cannot read the program's memory at " + std::to_string(address), -error);
      filled += count * kPageBytes;
      left &= count == 64 ? 0 : ~(((uint64_t{1} << count) - 1) << first);
    }
    if (auto added = out.add_pages(group.number, group.pages, std::span(bytes).first(filled)); !added.ok()) return added;
  }
  return success();
}

}  // namespace dsm::agent
