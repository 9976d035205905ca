// SPDX-License-Identifier: Apache-2.0
// A large file that is written once from its beginning to its end, and one that is read mostly so: with O_DIRECT where the file
// system has it (what a checkpoint writes is not read again, and must not push the programs' files out of the page cache),
// several transfers at a time. Owner-thread only.
#pragma once
#include <cstdint>
#include <span>
#include <memory>
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/os/folder.h"
#include "libdsm/os/transfer_ring.h"

namespace dsm::os {

class DirectWriter {
 public:
  // A new file, or an old one emptied.
  static Result<std::unique_ptr<DirectWriter>> create(const Folder& folder, const std::string& name);

  // Bytes appended so far: where the next ones will stand.
  uint64_t offset() const { return flushed_ + filled_; }
  // The first failure is final: each later call gives it again.
  Status append(std::span<const std::byte> bytes);
  // Pads with zeros to a multiple of TransferRing::kAlignment, waits for the disk (fdatasync) and says how long the file is.
  Result<uint64_t> finish();

 private:
  DirectWriter(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Status flush(size_t bytes);
  Status await(unsigned n);

  Fd fd_;
  std::string path_;
  TransferRing ring_{TransferRing::Direction::kWrite};
  std::vector<size_t> expected_ = std::vector<size_t>(TransferRing::kBuffers);
  unsigned current_ = 0;  // the buffer that is being filled
  size_t filled_ = 0;
  uint64_t flushed_ = 0;
  Status state_ = success();
};

class DirectReader {
 public:
  // EINVAL if it is not a regular file.
  static Result<std::unique_ptr<DirectReader>> open(const Folder& folder, const std::string& name);

  uint64_t bytes() const { return bytes_; }
  // Fills `into`; an error if the file ends before. In order of offsets it reads ahead.
  Status read(uint64_t offset, std::span<std::byte> into);

 private:
  DirectReader(Fd fd, std::string path, uint64_t bytes) : fd_(std::move(fd)), path_(std::move(path)), bytes_(bytes) {}
  void start(unsigned n, uint64_t offset);
  void seek(uint64_t offset);
  Status enter();

  Fd fd_;
  std::string path_;
  uint64_t bytes_;
  TransferRing ring_{TransferRing::Direction::kRead};
  bool positioned_ = false;
  uint64_t window_ = 0;   // offset of the buffer that is being read out
  size_t available_ = 0;  // bytes in it; 0: not awaited yet
  unsigned current_ = 0;
  uint64_t next_ = 0;     // offset of the next buffer to start
};

}  // namespace dsm::os
