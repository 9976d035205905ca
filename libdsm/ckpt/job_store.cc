// SPDX-License-Identifier: Apache-2.0
#include "libdsm/ckpt/job_store.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <set>

#include "libdsm/ckpt/store_names.h"

namespace dsm::ckpt {
namespace {

constexpr uint64_t kMaxCommitBytes = 1u << 16;

// Generations as they are found, newest first.
using States = std::map<uint64_t, GenerationState, std::greater<>>;

GenerationState& state_of(States& states, uint64_t generation) {
  GenerationState& state = states[generation];
  state.generation = generation;
  return state;
}

// Of two good records that differ the one of the later epoch counts: the other is of an attempt that was given up.
void take_commit(GenerationState& state, CommitRecord record, const std::string& path) {
  const bool differs = state.commit && (state.commit->epoch != record.epoch || state.commit->parts != record.parts);
  if (differs) {
    state.findings.push_back(path + " differs from the other commit record of generation " + std::to_string(state.generation));
    if (record.epoch <= state.commit->epoch) return;
    state.holders.clear();
  }
  state.holders.push_back(record.holder);
  state.commit = std::move(record);
}

void read_commit(States& states, const os::Folder& folder, const std::string& job, const std::string& name, const CommitName& says) {
  GenerationState& state = state_of(states, says.generation);
  const std::string path = folder.path_of(name);
  auto file = folder.read_file(name, kMaxCommitBytes);
  if (!file.ok()) return state.findings.push_back(file.error().what);
  auto record = decode_commit(*file);
  if (!record.ok()) return state.findings.push_back(path + " " + record.error().what);
  if (record->job != job || record->generation != says.generation || record->holder != says.holder)
    return state.findings.push_back(path + " belongs to another job, generation or node");
  take_commit(state, std::move(record).value(), path);
}

Status read_part_names(States& states, const std::string& path, NodeId node) {
  auto folder = os::Folder::open(path);
  if (!folder.ok()) return folder.error();
  auto names = folder->list();
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    const auto part = part_of(name);
    if (!part || part->temporary || part->file != PartFile::kManifest) continue;
    auto& present = state_of(states, part->generation).present;
    if (std::find(present.begin(), present.end(), node) == present.end()) present.push_back(node);
  }
  return success();
}

// One directory that cannot be read does not hide what is in the others.
void read_names(States& states, std::vector<std::string>& findings, const std::string& root, const std::string& job) {
  auto folder = os::Folder::open(root + "/" + job);
  if (!folder.ok()) {
    if (folder.error().code != ENOENT) findings.push_back(folder.error().what);
    return;
  }
  auto names = folder->list();
  if (!names.ok()) return findings.push_back(names.error().what);
  for (const std::string& name : *names) {
    if (const auto commit = commit_of(name)) read_commit(states, *folder, job, name, *commit);
    if (const auto node = node_of(name))
      if (auto read = read_part_names(states, folder->path_of(name), *node); !read.ok()) findings.push_back(read.error().what);
  }
}

// Parts may lie in several directories, also one part in two (after a partner was replaced): the first good one counts.
void open_parts(GenerationState& state, const Roots& roots, const std::string& job) {
  for (uint16_t n = 0; n < state.commit->parts.size(); ++n) {
    std::vector<std::string> problems;
    std::unique_ptr<GenerationReader> part;
    for (size_t r = 0; r < roots.size() && !part; ++r) {
      auto opened = GenerationReader::open(roots[r], job, NodeId{n}, state.generation, state.commit->parts[n]);
      if (opened.ok() && (opened.value()->manifest().identity.epoch != state.commit->epoch || opened.value()->manifest().identity.nodes != state.commit->parts.size()))
        opened = Error{opened.value()->path() + ": generation " + std::to_string(state.generation) + " is of another attempt than its commit record", EBADMSG};
      if (opened.ok()) part = std::move(opened).value();
      else if (roots.size() == 1 || opened.error().code != ENOENT) problems.push_back(opened.error().what);
    }
    if (part) {
      state.parts.push_back(std::move(part));
      continue;
    }
    if (problems.empty())
      problems.push_back("node " + std::to_string(n) + "'s part of generation " + std::to_string(state.generation) + " is in none of the directories");
    state.findings.insert(state.findings.end(), problems.begin(), problems.end());
  }
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

}  // namespace

bool GenerationState::verify() {
  bool good = usable();
  for (const auto& part : parts) {
    auto verified = part->verify();
    if (verified.ok()) continue;
    findings.push_back(verified.error().what);
    good = false;
  }
  return good;
}

Result<std::vector<std::string>> list_jobs(const Roots& roots) {
  std::set<std::string> jobs;
  for (const std::string& root : roots) {
    auto folder = os::Folder::open(root);
    if (!folder.ok()) return folder.error();
    auto names = folder->list();
    if (!names.ok()) return names.error();
    for (const std::string& name : *names) {
      if (!is_job_name(name)) continue;
      auto job = os::Folder::open(folder->path_of(name));
      auto inside = job.ok() ? job->list() : Result<std::vector<std::string>>(job.error());
      if (!inside.ok()) continue;
      if (std::any_of(inside->begin(), inside->end(), [](const std::string& n) { return commit_of(n) || node_of(n); })) jobs.insert(name);
    }
  }
  return std::vector<std::string>(jobs.begin(), jobs.end());
}

Result<std::vector<GenerationState>> inspect_job(const Roots& roots, const std::string& job) {
  if (!is_job_name(job)) return Error{"'" + job + "' cannot be a job", EINVAL};
  States states;
  std::vector<std::string> findings;
  for (const std::string& root : roots) read_names(states, findings, root, job);
  if (states.empty() && !findings.empty()) return Error{joined(findings), EIO};
  if (states.empty()) return Error{"there is no generation of job " + job + " in " + joined(roots), ENOENT};
  std::vector<GenerationState> found;
  for (auto& [number, state] : states) {
    std::sort(state.present.begin(), state.present.end());
    if (state.commit) open_parts(state, roots, job);
    found.push_back(std::move(state));
  }
  found.front().findings.insert(found.front().findings.begin(), findings.begin(), findings.end());
  return found;
}

Result<NewestGeneration> open_newest(const Roots& roots, const std::string& job, Check check) {
  auto states = inspect_job(roots, job);
  if (!states.ok()) return states.error();
  std::vector<std::string> findings;
  for (GenerationState& state : *states) {
    if (state.usable() && (check == Check::kManifests || state.verify())) return NewestGeneration{std::move(state), std::move(findings)};
    if (state.findings.empty()) state.findings.push_back("generation " + std::to_string(state.generation) + " was not committed");
    findings.insert(findings.end(), state.findings.begin(), state.findings.end());
  }
  return Error{"job " + job + " has no generation that can be used: " + joined(findings), EBADMSG};
}

}  // namespace dsm::ckpt
