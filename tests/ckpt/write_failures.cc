// SPDX-License-Identifier: Apache-2.0
#include "tests/ckpt/write_failures.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include "libdsm/ckpt/prune.h"
#include "libdsm/ckpt/store_names.h"
#include "tests/harness/ckpt_sample.h"

namespace dsm::ckpt::damage {
namespace {

namespace fs = std::filesystem;
using namespace sample;

constexpr uint64_t kNext = 2;

std::string folder_of(const std::string& root) { return root + "/" + kJob + "/" + node_folder(kOrigin); }

// Generation 1 is whole and the newest.
std::string check_first(const std::string& root) {
  auto newest = open_newest({root}, kJob, Check::kData);
  if (!newest.ok()) return "generation 1 cannot be used any more: " + newest.error().what;
  if (newest->state.generation != 1) return "generation " + std::to_string(newest->state.generation) + " counts, which was not committed";
  for (uint16_t n = 0; n < kNodes; ++n) {
    auto part = read_part(*newest->state.parts[n]);
    if (!part.ok() || !(*part == truth_of(1, NodeId{n}))) return "generation 1 has other bytes than were written";
  }
  return {};
}

std::string check_attempt(const std::string& root, const Result<PreparedPart>& part, int expected) {
  const bool manifest = fs::exists(folder_of(root) + "/" + manifest_name(kNext));
  if (part.ok()) {
    auto reader = GenerationReader::open(root, kJob, kOrigin, kNext, part.value().entry);
    if (!reader.ok()) return "prepared, but cannot be read: " + reader.error().what;
    auto read = read_part(**reader);
    return read.ok() && *read == truth_of(kNext, kOrigin) ? std::string() : "prepared, but with other bytes";
  }
  if (part.error().code != expected) return "expected errno " + std::to_string(expected) + ", found: " + part.error().what;
  if (part.error().what.find(root) == std::string::npos) return "the error names no file: " + part.error().what;
  if (manifest) return "a manifest was left behind by: " + part.error().what;
  for (const auto& entry : fs::directory_iterator(folder_of(root)))
    if (const auto name = part_of(entry.path().filename().string()); name && name->generation == kNext) return "left behind: " + entry.path().string();
  return {};
}

void remove_attempt(const std::string& root) {
  for (const std::string& name : {manifest_name(kNext), data_name(kNext)}) fs::remove(folder_of(root) + "/" + name);
}

}  // namespace

bool enter_mount_namespace() {
  const auto uid = ::getuid(), gid = ::getgid();
  if (::unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  if (uid != 0) {
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
    std::ofstream("/proc/self/gid_map") << gid << " " << gid << " 1";
  }
  return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

bool SmallDisk::mount(const std::string& at, uint64_t bytes) {
  std::error_code error;
  fs::create_directories(at, error);
  if (::mount("tmpfs", at.c_str(), "tmpfs", 0, ("size=" + std::to_string(bytes)).c_str()) != 0) return false;
  at_ = at;
  return true;
}

SmallDisk::~SmallDisk() {
  if (!at_.empty()) ::umount2(at_.c_str(), MNT_DETACH);
}

bool remount(const std::string& at, bool read_only) {
  return ::mount("none", at.c_str(), nullptr, read_only ? MS_REMOUNT | MS_RDONLY : MS_REMOUNT, nullptr) == 0;
}

std::string full_disk_case(const std::string& small_disk, uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::string filler = small_disk + "/filler";
  struct statvfs disk;
  if (::statvfs(small_disk.c_str(), &disk) != 0) return "statvfs failed";
  const uint64_t free = disk.f_bavail * disk.f_bsize, leave = random() % (800u << 10);
  if (free <= leave) return "the small disk is full already";
  std::ofstream(filler).write(std::string(free - leave, 'x').data(), static_cast<std::streamsize>(free - leave));
  const auto part = write_part(small_disk, kNext, kOrigin, {.zstd_level = static_cast<int>(seed % 2)});
  std::string problem = check_attempt(small_disk, part, ENOSPC);
  if (problem.empty()) problem = check_first(small_disk);
  remove_attempt(small_disk);
  fs::remove(filler);
  return problem;
}

// Transfers become short, then fail: a disk that gives up in the middle of a file.
std::string file_limit_case(const std::string& root, uint64_t seed) {
  std::mt19937_64 random(seed);
  rlimit before;
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = before;
  limit.rlim_cur = random() % 3 ? random() % (1u << 20) : random() % 8192;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const auto part = write_part(root, kNext, kOrigin, {.zstd_level = static_cast<int>(seed % 2)});
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, ignored);
  std::string problem = check_attempt(root, part, EFBIG);
  if (problem.empty()) problem = check_first(root);
  remove_attempt(root);
  return problem;
}

std::string read_only_case(const std::string& small_disk) {
  if (!remount(small_disk, true)) return "cannot be made read-only";
  std::string problem;
  const auto part = write_part(small_disk, kNext, kOrigin, {});
  if (part.ok()) problem = "a part was written to a read-only disk";
  else problem = check_attempt(small_disk, part, EROFS);
  const auto commit = write_commit(small_disk, {kJob, kNext, 1, {}, {CommitEntry{}}});
  if (problem.empty() && (commit.ok() || commit.error().code != EROFS)) problem = "the commit record: no EROFS";
  const auto pruned = prune_before(small_disk, kJob, kNext);
  if (problem.empty() && (pruned.ok() || pruned.error().code != EROFS)) problem = "prune: no EROFS";
  if (problem.empty()) problem = check_first(small_disk);
  if (!remount(small_disk, false)) return "cannot be made writable again";
  return problem;
}

}  // namespace dsm::ckpt::damage
