// SPDX-License-Identifier: Apache-2.0
// What is done to the bytes of a block between memory and file: zstd if it makes them smaller, and their digest. Owner-thread only.
#pragma once
#include <memory>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/ckpt/ckpt_format.h"
#include "libdsm/ckpt/file_bytes.h"

namespace dsm::ckpt {

class BlockEncoder {
 public:
  // 0: nothing is compressed. Else a level of zstd.
  explicit BlockEncoder(int zstd_level);
  ~BlockEncoder();
  // The stored form of `raw` (at most kBlockBytes), valid until the next call; `ref` gets digest, sizes and codec.
  Bytes encode(Bytes raw, BlockRef& ref);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  std::vector<std::byte> packed_;
};

class BlockDecoder {
 public:
  BlockDecoder();
  ~BlockDecoder();
  // The raw bytes, valid until the next call and as long as `stored`. EBADMSG if they are not what the manifest names.
  Result<Bytes> decode(const BlockRef& ref, Bytes stored);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  std::vector<std::byte> raw_;
};

}  // namespace dsm::ckpt
