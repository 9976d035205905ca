// SPDX-License-Identifier: Apache-2.0
// The files of a checkpoint, byte by byte: docs/checkpoint-format.md says the same in words. Little endian, fixed width, no
// padding of the compiler's. A value once given is never reused; a reader refuses versions that it does not know.
//
// A file ends with the XXH3-128 of all bytes before (manifest, commit record), or begins with a header that ends so (data file).
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

#include "libdsm/base/ids.h"

namespace dsm::ckpt {

static_assert(std::endian::native == std::endian::little, "the structs below are copied to and from files as they are");

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr char kManifestMagic[9] = "DSMCKMAN", kDataMagic[9] = "DSMCKDAT", kCommitMagic[9] = "DSMCKCOM";

// 64 pages, 256 KiB: one word says which are there, an entry of the manifest is 1/4096 of what it names, a compressed block is
// large enough to compress well, and one changed page costs at most 64 pages of reading when a generation is restored.
inline constexpr unsigned kBlockPages = 64;
inline constexpr size_t kBlockBytes = kBlockPages * kPageBytes;
inline constexpr uint64_t kAddressSpaceBlocks = (uint64_t{1} << 47) / kBlockBytes;  // user addresses on x86-64
// Data begin behind the header, which has a disk block of its own.
inline constexpr uint64_t kDataHeaderBytes = 4096;

inline constexpr size_t kMaxJobBytes = 64, kMaxProgramBytes = 4096;
inline constexpr uint32_t kMaxSections = 64;
// 64 bytes a block: enough for 12 TiB of memory on one node.
inline constexpr uint64_t kMaxManifestBytes = uint64_t{3} << 30;

enum class Codec : uint32_t { kRaw = 0, kZstd = 1 };

// XXH3-128, low half first. Finds damage; no protection against somebody who can write the files.
struct Digest {
  uint64_t low = 0, high = 0;
  friend constexpr bool operator==(const Digest&, const Digest&) = default;
};
static_assert(sizeof(Digest) == 16);

struct ManifestHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;  // sizeof(ManifestHeader)
  uint64_t file_bytes;    // of the manifest itself
  uint64_t generation;
  uint64_t epoch;
  uint16_t node;
  uint16_t nodes;
  uint32_t page_bytes;
  uint32_t block_pages;
  uint32_t job_bytes;      // text behind the header, not terminated
  uint32_t program_bytes;  // text behind that; then zeros up to a multiple of 8
  uint32_t files;          // FileEntry
  uint32_t sections;       // SectionEntry
  uint32_t chunks;         // BlockRef
  uint64_t blocks;         // PageBlock
};
static_assert(sizeof(ManifestHeader) == 80 && offsetof(ManifestHeader, node) == 40 && offsetof(ManifestHeader, blocks) == 72);

// A data file that the manifest refers to: that of its own generation, or of an older one of the same node.
struct FileEntry {
  uint64_t generation;
  uint64_t epoch;
  uint64_t file_bytes;
};
static_assert(sizeof(FileEntry) == 24);

// Where bytes are. The digest is that of the stored bytes, so nothing is decompressed that was not written so.
struct BlockRef {
  Digest digest;
  uint64_t offset;
  uint32_t file;          // index into the FileEntry table
  uint32_t stored_bytes;
  uint32_t raw_bytes;     // 1 to kBlockBytes
  Codec codec;
};
static_assert(sizeof(BlockRef) == 40);

// A stream of bytes by name: its chunks are in order, all but the last of kBlockBytes.
struct SectionEntry {
  char name[24];  // padded with zeros, at least one
  uint64_t bytes;
  uint32_t first_chunk;
  uint32_t chunks;
};
static_assert(sizeof(SectionEntry) == 40);

// Pages of the block `number` (address / kBlockBytes). Bit n is page n of the block. `stored`: whose bytes the block has, in
// order; `pages`: which of them count. Several entries may share a number, with disjoint `pages`: what a later generation
// changed, and what it kept. A page that no entry names is absent.
struct PageBlock {
  uint64_t number;
  uint64_t pages;
  uint64_t stored;
  BlockRef where;
};
static_assert(sizeof(PageBlock) == 64);

struct DataHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;  // kDataHeaderBytes
  uint64_t generation;
  uint64_t epoch;
  uint16_t node;
  uint16_t nodes;
  uint32_t job_bytes;
  char job[kMaxJobBytes];
  uint8_t zero[kDataHeaderBytes - 104 - sizeof(Digest)];
  Digest digest;  // of all before
};
static_assert(sizeof(DataHeader) == kDataHeaderBytes && offsetof(DataHeader, job) == 40);

struct CommitHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;
  uint64_t file_bytes;
  uint64_t generation;
  uint64_t epoch;
  uint16_t holder;
  uint16_t nodes;  // so many CommitEntry follow the job's name, one a node, in order
  uint32_t job_bytes;
};
static_assert(sizeof(CommitHeader) == 48);

struct CommitEntry {
  uint64_t manifest_bytes;
  Digest manifest;  // the one at the end of the node's manifest
  friend constexpr bool operator==(const CommitEntry&, const CommitEntry&) = default;
};
static_assert(sizeof(CommitEntry) == 24);

}  // namespace dsm::ckpt
