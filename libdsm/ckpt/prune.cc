// SPDX-License-Identifier: Apache-2.0
#include "libdsm/ckpt/prune.h"

#include <cerrno>
#include <functional>
#include <set>

#include "libdsm/ckpt/job_store.h"
#include "libdsm/ckpt/store_names.h"

namespace dsm::ckpt {
namespace {

using Goes = std::function<bool(uint64_t generation)>;

Status remove(const os::Folder& folder, const std::string& name, Pruned& pruned) {
  auto bytes = folder.bytes_of(name);
  if (!bytes.ok()) return bytes.error();
  if (auto removed = folder.remove(name); !removed.ok()) return removed;
  pruned.removed.push_back(folder.path_of(name));
  pruned.bytes += *bytes;
  return success();
}

// Data files that the manifests that stay name. One that cannot be read may name anything: then all data stay.
Result<std::set<uint64_t>> data_in_use(const os::Folder& folder, const std::vector<std::string>& names, const Goes& goes) {
  std::set<uint64_t> used;
  for (const std::string& name : names) {
    const auto part = part_of(name);
    if (!part || part->temporary || part->file != PartFile::kManifest || goes(part->generation)) continue;
    auto file = folder.read_file(name, kMaxManifestBytes);
    if (!file.ok()) return file.error();
    auto manifest = decode_manifest(*file);
    if (!manifest.ok()) return Error{folder.path_of(name) + " " + manifest.error().what, manifest.error().code};
    for (const FileEntry& entry : manifest->files) used.insert(entry.generation);
  }
  return used;
}

Status prune_part(const std::string& path, const Goes& goes, Pruned& pruned) {
  auto folder = os::Folder::open(path);
  if (!folder.ok()) return folder.error();
  auto names = folder->list();
  if (!names.ok()) return names.error();
  auto used = data_in_use(*folder, *names, goes);
  if (!used.ok()) return used.error();
  // Manifests before the data that they name.
  for (const bool data : {false, true}) {
    for (const std::string& name : *names) {
      const auto part = part_of(name);
      if (!part || !goes(part->generation) || (part->file == PartFile::kData) != data) continue;
      if (data && !part->temporary && used->contains(part->generation)) continue;
      if (auto removed = remove(*folder, name, pruned); !removed.ok()) return removed;
    }
    if (auto synced = folder->sync(); !synced.ok()) return synced;
  }
  return success();
}

Result<Pruned> prune(const std::string& root, const std::string& job, const Goes& goes) {
  if (!is_job_name(job)) return Error{"'" + job + "' cannot be a job", EINVAL};
  auto folder = os::Folder::open(root + "/" + job);
  if (!folder.ok()) return folder.error();
  auto names = folder->list();
  if (!names.ok()) return names.error();
  Pruned pruned;
  // Commit records first: a generation that is being removed does not count from the first moment.
  for (const std::string& name : *names) {
    const auto commit = commit_of(name.ends_with(".tmp") ? name.substr(0, name.size() - 4) : name);
    if (!commit || !goes(commit->generation)) continue;
    if (auto removed = remove(*folder, name, pruned); !removed.ok()) return removed.error();
  }
  if (auto synced = folder->sync(); !synced.ok()) return synced.error();
  for (const std::string& name : *names)
    if (node_of(name))
      if (auto part = prune_part(folder->path_of(name), goes, pruned); !part.ok()) return part.error();
  return pruned;
}

}  // namespace

Result<Pruned> prune_before(const std::string& root, const std::string& job, uint64_t oldest) {
  return prune(root, job, [&](uint64_t generation) { return generation < oldest; });
}

Result<Pruned> prune_job(const std::string& root, const std::string& job, unsigned keep) {
  auto states = inspect_job({root}, job);
  if (!states.ok()) return states.error();
  unsigned good = 0;
  std::set<uint64_t> given_up;  // older than one that is good, without a commit record, good or damaged
  for (const GenerationState& state : *states) {
    if (state.usable() && ++good == keep)
      return prune(root, job, [&](uint64_t generation) { return generation < state.generation || given_up.contains(generation); });
    if (good > 0 && !state.committed() && state.findings.empty()) given_up.insert(state.generation);
  }
  return Error{"job " + job + " has " + std::to_string(good) + " generations that can be used, of which " + std::to_string(keep) +
                   " are to be kept; nothing was removed", EBADMSG};
}

}  // namespace dsm::ckpt
