// SPDX-License-Identifier: Apache-2.0
#include "libdsm/ckpt/block_codec.h"

#include <zstd.h>

#include <cerrno>

#include "libdsm/base/check.h"

namespace dsm::ckpt {

struct BlockEncoder::Context {
  explicit Context(int l) : level(l), zstd(ZSTD_createCCtx()) { DSM_CHECK(zstd != nullptr); }
  ~Context() { ZSTD_freeCCtx(zstd); }
  int level;
  ZSTD_CCtx* zstd;
};

BlockEncoder::BlockEncoder(int zstd_level) {
  if (zstd_level == 0) return;
  context_ = std::make_unique<Context>(zstd_level);
  packed_.resize(ZSTD_compressBound(kBlockBytes));
}

BlockEncoder::~BlockEncoder() = default;

Bytes BlockEncoder::encode(Bytes raw, BlockRef& ref) {
  DSM_CHECK(!raw.empty() && raw.size() <= kBlockBytes);
  Bytes stored = raw;
  ref.codec = Codec::kRaw;
  if (context_) {
    const size_t bytes = ZSTD_compressCCtx(context_->zstd, packed_.data(), packed_.size(), raw.data(), raw.size(), context_->level);
    if (!ZSTD_isError(bytes) && bytes < raw.size()) {
      stored = Bytes(packed_).first(bytes);
      ref.codec = Codec::kZstd;
    }
  }
  ref.raw_bytes = static_cast<uint32_t>(raw.size());
  ref.stored_bytes = static_cast<uint32_t>(stored.size());
  ref.digest = digest_of(stored);
  return stored;
}

struct BlockDecoder::Context {
  Context() : zstd(ZSTD_createDCtx()) { DSM_CHECK(zstd != nullptr); }
  ~Context() { ZSTD_freeDCtx(zstd); }
  ZSTD_DCtx* zstd;
};

BlockDecoder::BlockDecoder() = default;
BlockDecoder::~BlockDecoder() = default;

Result<Bytes> BlockDecoder::decode(const BlockRef& ref, Bytes stored) {
  DSM_CHECK(stored.size() == ref.stored_bytes && ref.raw_bytes <= kBlockBytes);
  if (digest_of(stored) != ref.digest) return Error{"is damaged: the block at byte " + std::to_string(ref.offset) + " does not fit its digest", EBADMSG};
  if (ref.codec == Codec::kRaw) return stored;
  if (!context_) {
    context_ = std::make_unique<Context>();
    raw_.resize(kBlockBytes);
  }
  const size_t bytes = ZSTD_decompressDCtx(context_->zstd, raw_.data(), ref.raw_bytes, stored.data(), stored.size());
  if (ZSTD_isError(bytes) || bytes != ref.raw_bytes)
    return Error{"is damaged: the block at byte " + std::to_string(ref.offset) + " cannot be decompressed", EBADMSG};
  return Bytes(raw_).first(bytes);
}

}  // namespace dsm::ckpt
