// SPDX-License-Identifier: Apache-2.0
// GenerationReader: one node's part of one generation, read back. Nothing of the files is believed: no byte is handed out that is
// not the one the manifest names by its digest, and the manifest is the one that the commit record names. Errors name the file.
//
// Threads: one at a time, any.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/ckpt/block_codec.h"
#include "libdsm/ckpt/manifest.h"
#include "libdsm/os/direct_stream.h"

namespace dsm::ckpt {

class GenerationReader {
 public:
  // Called with each present page group in rising order of addresses: pages of the block `number` as the bits of `pages` say, one
  // after the other. An error ends the walk and is its result.
  using OnPages = std::function<Status(uint64_t number, uint64_t pages, Bytes bytes)>;
  using OnBytes = std::function<Status(Bytes bytes)>;

  // The part below `root`. `expected`: what the commit record says of it; without it only the manifest's own digest is checked.
  static Result<std::unique_ptr<GenerationReader>> open(const std::string& root, const std::string& job, NodeId node, uint64_t generation,
                                                        const std::optional<CommitEntry>& expected);

  const Manifest& manifest() const { return manifest_; }
  const std::string& path() const { return folder_.path(); }

  Status for_each_page(const OnPages& on_pages);
  // ENOENT if there is no such section.
  Status read_section(const std::string& name, const OnBytes& on_bytes);
  // EFBIG beyond `limit`.
  Result<std::vector<std::byte>> section(const std::string& name, uint64_t limit);
  // Reads everything.
  Status verify();

 private:
  GenerationReader(os::Folder folder, Manifest manifest)
      : folder_(std::move(folder)), manifest_(std::move(manifest)), files_(manifest_.files.size()) {}
  // Looks at the data files: there, as long as the manifest says, with the header of what it is.
  Status check_files();
  Status open_file(uint32_t index);
  Result<Bytes> read_block(const BlockRef& ref);

  os::Folder folder_;
  Manifest manifest_;
  std::vector<std::unique_ptr<os::DirectReader>> files_;
  BlockDecoder decoder_;
  std::vector<std::byte> stored_ = std::vector<std::byte>(kBlockBytes);
};

}  // namespace dsm::ckpt
