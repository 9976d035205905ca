// SPDX-License-Identifier: Apache-2.0
// Disks that fail while a checkpoint is written: full (a small tmpfs), read-only, files that may not grow.
#pragma once
#include <cstdint>
#include <string>

namespace dsm::ckpt::damage {

// Each: empty, or what was wrong. `mounts`: a mount namespace of our own is there.
std::string full_disk_case(const std::string& small_disk, uint64_t seed);
std::string file_limit_case(const std::string& root, uint64_t seed);
std::string read_only_case(const std::string& small_disk);

// A private mount namespace (as an ordinary user inside a user namespace). False where that is not allowed.
bool enter_mount_namespace();
// A disk in memory, until the object goes.
class SmallDisk {
 public:
  ~SmallDisk();
  SmallDisk() = default;
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mount(const std::string& at, uint64_t bytes);

 private:
  std::string at_;
};
bool remount(const std::string& at, bool read_only);

}  // namespace dsm::ckpt::damage
