// SPDX-License-Identifier: Apache-2.0
// GenerationWriter: writes one node's part of one generation. What it leaves is a whole part or nothing that looks like one: the
// manifest gets its name last, when everything that it names is on the disk. A part counts only when a commit record names it.
//
// Threads: one at a time, any. One writer a folder, across processes (a lock that ends with the process).
// Errors: any failure (ENOSPC, EIO, EROFS, ...) is final and given again by each later call; the message names the file.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/ckpt/block_codec.h"
#include "libdsm/ckpt/manifest.h"
#include "libdsm/os/direct_stream.h"

namespace dsm::ckpt {

// What the coordinator needs of a part that is prepared.
struct PreparedPart {
  CommitEntry entry;
  uint64_t bytes_written = 0;
  uint64_t pages = 0;
};

struct WriterOptions {
  int zstd_level = 0;
};

class GenerationWriter {
 public:
  // Makes the folders. Leftovers of an earlier attempt at this generation are removed; EEXIST if it is committed.
  static Result<std::unique_ptr<GenerationWriter>> begin(const std::string& root, PartIdentity identity, const WriterOptions& options);
  ~GenerationWriter();  // abandons what is not finished

  // The whole section. EINVAL for a name that is taken or not one.
  Status add_section(const std::string& name, Bytes bytes);
  // Pages of the block `number` (address / kBlockBytes), one after the other, as the bits of `pages` say. In any order of
  // numbers, and several times for one number with other pages.
  Status add_pages(uint64_t number, uint64_t pages, Bytes bytes);
  // `pages` of an entry of an older manifest of this node, whose data file stays as long as a kept generation names it.
  Status keep_pages(const Manifest& older, const PageBlock& block, uint64_t pages);

  // Durable. Nothing may follow.
  Result<PreparedPart> finish();
  // Removes everything that was written.
  void abandon();

 private:
  GenerationWriter(os::Folder folder, PartIdentity identity, const WriterOptions& options)
      : folder_(std::move(folder)), encoder_(options.zstd_level) {
    manifest_.identity = std::move(identity);
  }
  Status open_data();
  Status store(Bytes raw, BlockRef& ref);
  uint32_t file_index(const FileEntry& file);
  void order_files();
  Result<PreparedPart> seal();
  Status fail(Error error);

  os::Folder folder_;
  BlockEncoder encoder_;
  Manifest manifest_;  // while it grows, its own data file is files[0]
  std::unique_ptr<os::DirectWriter> data_;
  bool finished_ = false;
  Status state_ = success();
};

}  // namespace dsm::ckpt
