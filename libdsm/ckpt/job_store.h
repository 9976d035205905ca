// SPDX-License-Identifier: Apache-2.0
// What there is of a job's checkpoints below one or several checkpoint directories, and which generation can be used. Reads commit
// records and manifests; data only where it is said. A finding is never fatal by itself: it is named, and an older generation is
// looked at. Functions: any thread; a job that is running may change what they see.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/ckpt/commit_record.h"
#include "libdsm/ckpt/generation_reader.h"

namespace dsm::ckpt {

struct GenerationState {
  uint64_t generation = 0;
  std::optional<CommitRecord> commit;       // a good one; none: the generation does not count
  std::vector<NodeId> holders;              // who has a good record
  std::vector<NodeId> present;              // nodes of which there is a manifest, good or not
  std::vector<std::unique_ptr<GenerationReader>> parts;  // good ones that were committed, by node
  std::vector<std::string> findings;        // each names a file and what is wrong with it

  bool committed() const { return commit.has_value(); }
  // Every node's part is there. Their data may be damaged still.
  bool usable() const { return committed() && parts.size() == commit->parts.size(); }
  // Reads all data; what is wrong is added to the findings. True: all of it is what was written.
  bool verify();
};

using Roots = std::vector<std::string>;

// Names of the jobs below the directories, sorted.
Result<std::vector<std::string>> list_jobs(const Roots& roots);
// Newest first. ENOENT if there is nothing of that job.
Result<std::vector<GenerationState>> inspect_job(const Roots& roots, const std::string& job);

struct NewestGeneration {
  GenerationState state;              // usable
  std::vector<std::string> findings;  // what was wrong with newer ones
};
enum class Check { kManifests, kData };
// The newest generation that is committed and passes the check. The error lists what is wrong with each.
Result<NewestGeneration> open_newest(const Roots& roots, const std::string& job, Check check);

}  // namespace dsm::ckpt
