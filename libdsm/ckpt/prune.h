// SPDX-License-Identifier: Apache-2.0
// Removes generations that nobody needs any more. A data file stays while a manifest that stays names it. Any thread; beside a
// running job: what is being written is newer than all that is committed, and is not touched.
#pragma once
#include <string>
#include <vector>

#include "libdsm/base/result.h"

namespace dsm::ckpt {

inline constexpr unsigned kKeptGenerations = 2;

struct Pruned {
  std::vector<std::string> removed;  // paths, in the order of removal
  uint64_t bytes = 0;
};

// Below `root`, everything older than generation `oldest` that no kept part needs, and leftovers of attempts before it. For the
// agents: the coordinator knows what is committed. Other disks are not looked at.
Result<Pruned> prune_before(const std::string& root, const std::string& job, uint64_t oldest);

// Keeps the newest `keep` usable generations of the job, and whatever is newer than all of them; attempts between them that were not
// committed go. EBADMSG if there are not so many: then nothing is
// removed. All parts are below `root`.
Result<Pruned> prune_job(const std::string& root, const std::string& job, unsigned keep);

}  // namespace dsm::ckpt
