// SPDX-License-Identifier: Apache-2.0
// Files of a checkpoint, with their digests put right so that mutations come as far as a forger would. Input: one byte (manifest,
// commit record, block), then the file. What is accepted must satisfy what readers rely on, and give the same bytes again.
#include <bit>
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/ckpt/block_codec.h"
#include "libdsm/ckpt/commit_record.h"
#include "libdsm/ckpt/manifest.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace dsm;
using namespace dsm::ckpt;

using Content = std::vector<std::byte>;

void reseal(Content& file) {
  if (file.size() < sizeof(Digest)) return;
  const Digest digest = digest_of(Bytes(file).first(file.size() - sizeof(Digest)));
  std::memcpy(file.data() + file.size() - sizeof digest, &digest, sizeof digest);
}

void manifest(Content file) {
  reseal(file);
  const auto decoded = decode_manifest(file);
  if (!decoded.ok()) return;
  const Manifest& m = decoded.value();
  for (const PageBlock& block : m.blocks) {
    const FileEntry& data = m.files.at(block.where.file);
    DSM_CHECK(block.where.offset + block.where.stored_bytes <= data.file_bytes && block.where.raw_bytes <= kBlockBytes);
    DSM_CHECK(static_cast<unsigned>(std::popcount(block.stored)) * kPageBytes == block.where.raw_bytes);
  }
  for (const Section& section : m.sections) DSM_CHECK(section.first_chunk + section.chunks <= m.chunks.size());
  DSM_CHECK(encode(m) == file);
}

void commit(Content file) {
  reseal(file);
  const auto decoded = decode_commit(file);
  if (decoded.ok()) DSM_CHECK(encode(decoded.value()) == file);
}

// A compressed block that fits its digest and may be anything; first two bytes: how long it says it is.
void block(const Content& file) {
  if (file.size() < 3) return;
  uint16_t pages;
  std::memcpy(&pages, file.data(), sizeof pages);
  const Bytes stored = Bytes(file).subspan(2);
  BlockRef ref{digest_of(stored), kDataHeaderBytes, 0, static_cast<uint32_t>(stored.size()), (pages % kBlockPages + 1) * static_cast<uint32_t>(kPageBytes), Codec::kZstd};
  BlockDecoder decoder;
  const auto raw = decoder.decode(ref, stored);
  if (raw.ok()) DSM_CHECK(raw.value().size() == ref.raw_bytes);
  ref.digest.low ^= 1;
  DSM_CHECK(!decoder.decode(ref, stored).ok());
}

std::string seed_of(char kind, Bytes file) { return kind + std::string(reinterpret_cast<const char*>(file.data()), file.size()); }

Manifest small_manifest() {
  Manifest m;
  m.identity = {"4711", "/bin/x", 3, 5, NodeId{1}, 4};
  m.files = {{2, 1, 4096 + 8192}, {5, 3, 4096 + 4096 * 20}};
  m.chunks = {{{1, 2}, 4096, 1, 100, 100, Codec::kRaw}};
  m.sections = {{"process", 100, 0, 1}, {"empty", 0, 1, 0}};
  m.blocks = {{16, 1, 3, {{3, 4}, 4096, 0, 8192, 8192, Codec::kRaw}},
              {16, 6, 6, {{5, 6}, 8192, 1, 700, 8192, Codec::kZstd}},
              {99, 1, 1, {{7, 8}, 8892, 1, 4096, 4096, Codec::kRaw}}};
  return m;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes bytes = std::as_bytes(std::span(data + 1, size - 1));
  const Content file(bytes.begin(), bytes.end());
  switch (data[0] % 3) {
    case 0: manifest(file); break;
    case 1: commit(file); break;
    case 2: block(file); break;
  }
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds = {seed_of('\0', encode(small_manifest()))};
  seeds.push_back(seed_of('\1', encode(CommitRecord{"4711", 5, 3, NodeId{1}, {{400, {1, 2}}, {500, {3, 4}}}})));
  Content pages(2 * kPageBytes, std::byte{7});
  for (size_t n = 0; n < pages.size(); n += 5) pages[n] = static_cast<std::byte>(n / 5);
  BlockRef ref{};
  BlockEncoder encoder(3);
  const Bytes stored = encoder.encode(pages, ref);
  DSM_CHECK(ref.codec == Codec::kZstd);
  seeds.push_back(seed_of('\2', stored));
  seeds.back().insert(1, std::string("\1\0", 2));
  return seeds;
}
