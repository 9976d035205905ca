// SPDX-License-Identifier: Apache-2.0
#include "pagedir/cut_share.h"

#include <algorithm>
#include <map>

#include "libdsm/base/check.h"
#include "pagedir/directory_service.h"

namespace dsm::pagedir {

void Shard::add_cut_shares(std::vector<CutShare>& out) const {
  DSM_CHECK(idle());
  std::map<NodeId, wire::BlockBits> by_writer;
  for (size_t n = 0; n < blocks_.size(); ++n) {
    const Block& block = blocks_.at(n);
    by_writer.clear();
    for (unsigned i = 0; i < block.entries.size(); ++i) {
      const Entry& e = block.entries[i];
      if (e.state != DirState::kShared) continue;
      NodeId lowest = holders_.any(e);
      for (unsigned k = 1; k < holders_.size(e); ++k) lowest = std::min(lowest, holders_.nth(e, k));
      by_writer[lowest].set(i);
    }
    for (const auto& [writer, pages] : by_writer) out.push_back({writer, block.number, pages});
  }
}

std::vector<CutShare> DirectoryService::cut_shares() const {
  std::vector<CutShare> shares;
  for (const Hosted& hosted : hosted_) {
    DSM_CHECK(!hosted.recovery);
    hosted.shard.add_cut_shares(shares);
  }
  return shares;
}

}  // namespace dsm::pagedir
