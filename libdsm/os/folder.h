// SPDX-License-Identifier: Apache-2.0
// Folder: an open directory, and the operations on its entries that must survive a crash. Names are entries of this folder, never
// paths; a symbolic link in place of a file is refused. Errors name the path. Any thread, one at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/os/fd.h"

namespace dsm::os {

class Folder {
 public:
  static Result<Folder> open(const std::string& path);
  // With all parents that are missing (mode 0700, for what a program remembers is nobody else's business). Each is durable.
  static Result<Folder> create(const std::string& path);

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  std::string path_of(const std::string& name) const { return path_ + "/" + name; }

  // Until this object goes. Fails with EWOULDBLOCK if another process holds it.
  Status lock_exclusively();
  // Sorted, without "." and "..".
  Result<std::vector<std::string>> list() const;
  Result<uint64_t> bytes_of(const std::string& name) const;
  // The whole regular file. EFBIG beyond `limit`.
  Result<std::vector<std::byte>> read_file(const std::string& name, uint64_t limit) const;
  // The first bytes, as many as `into` has; an error if there are fewer.
  Status read_front(const std::string& name, std::span<std::byte> into) const;
  // Under "NAME.tmp", fdatasync, rename, fsync of the folder. On failure there is nothing new under `name`.
  Status write_file(const std::string& name, std::span<const std::byte> bytes) const;
  Status rename(const std::string& from, const std::string& to) const;
  // No error if it is not there.
  Status remove(const std::string& name) const;
  Status remove_folder(const std::string& name) const;
  // Entries made, renamed and removed before are durable after.
  Status sync() const;

 private:
  Status read_exactly(const std::string& name, std::span<std::byte> into) const;
  Folder(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Fd fd_;
  std::string path_;
};

}  // namespace dsm::os
