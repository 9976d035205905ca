// SPDX-License-Identifier: Apache-2.0
#include "libdsm/ckpt/manifest.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <set>
#include <tuple>

#include "libdsm/base/check.h"

namespace dsm::ckpt {
namespace {

constexpr size_t kTextAlignment = 8;

Error damaged(std::string what) { return Error{"is inconsistent: " + std::move(what), EBADMSG}; }

bool is_section_name(const std::string& name) {
  return !name.empty() && name.size() < sizeof(SectionEntry::name) && name.find('\0') == std::string::npos;
}

std::string objection_to(const BlockRef& ref, const std::vector<FileEntry>& files) {
  if (ref.file >= files.size()) return "a block is in a file that is not listed";
  if (ref.raw_bytes == 0 || ref.raw_bytes > kBlockBytes) return "a block has an impossible size";
  if (ref.codec != Codec::kRaw && ref.codec != Codec::kZstd) return "a block has an unknown codec";
  if (ref.stored_bytes == 0 || ref.stored_bytes > ref.raw_bytes || (ref.codec == Codec::kRaw && ref.stored_bytes != ref.raw_bytes))
    return "a block has an impossible stored size";
  const uint64_t end = files[ref.file].file_bytes;
  if (ref.offset < kDataHeaderBytes || ref.offset > end || ref.stored_bytes > end - ref.offset) return "a block lies outside its file";
  return {};
}

std::string files_objection(const Manifest& m) {
  uint64_t last = 0;
  for (const FileEntry& file : m.files) {
    if (file.generation <= last) return "its data files are not in order";
    if (file.file_bytes < kDataHeaderBytes) return "a data file is shorter than its header";
    if (file.epoch > m.identity.epoch) return "a data file is of a later epoch";
    last = file.generation;
  }
  if (last != m.identity.generation) return "it does not end with a data file of its own";
  return {};
}

std::string sections_objection(const Manifest& m) {
  std::set<std::string> names;
  uint64_t next = 0;
  for (const Section& section : m.sections) {
    if (!is_section_name(section.name) || !names.insert(section.name).second) return "a section has no name of its own";
    if (section.first_chunk != next) return "a section does not begin where the one before it ends";
    if (section.chunks > m.chunks.size() - next) return "a section has more chunks than there are";
    uint64_t bytes = 0;
    for (uint32_t n = 0; n < section.chunks; ++n) {
      const BlockRef& chunk = m.chunks[next + n];
      if (n + 1 < section.chunks && chunk.raw_bytes != kBlockBytes) return "a section has a short chunk in its middle";
      bytes += chunk.raw_bytes;
    }
    if (bytes != section.bytes) return "a section's chunks do not have its size";
    next += section.chunks;
  }
  return next == m.chunks.size() ? std::string() : "there are chunks that belong to no section";
}

std::string blocks_objection(const Manifest& m) {
  uint64_t number = 0, taken = 0;
  for (const PageBlock& block : m.blocks) {
    if (block.number < number) return "its blocks are not in order";
    if (block.number != number) taken = 0;
    number = block.number;
    if (number >= kAddressSpaceBlocks) return "a block lies outside the address space";
    if (block.pages == 0 || (block.pages & ~block.stored) != 0) return "a block counts pages that it does not have";
    if ((block.pages & taken) != 0) return "two blocks have the same page";
    taken |= block.pages;
    if (block.where.raw_bytes != static_cast<unsigned>(std::popcount(block.stored)) * kPageBytes) return "a block's size is not that of its pages";
  }
  return {};
}

std::string refs_objection(const Manifest& m) {
  std::vector<const BlockRef*> refs;
  refs.reserve(m.chunks.size() + m.blocks.size());
  for (const BlockRef& chunk : m.chunks) refs.push_back(&chunk);
  for (const PageBlock& block : m.blocks) refs.push_back(&block.where);
  for (const BlockRef* ref : refs)
    if (std::string what = objection_to(*ref, m.files); !what.empty()) return what;
  std::sort(refs.begin(), refs.end(), [](const BlockRef* a, const BlockRef* b) { return std::tie(a->file, a->offset) < std::tie(b->file, b->offset); });
  for (size_t n = 1; n < refs.size(); ++n) {
    const BlockRef &a = *refs[n - 1], &b = *refs[n];
    if (a.file != b.file || a.offset + a.stored_bytes <= b.offset) continue;
    if (a.offset != b.offset || a.stored_bytes != b.stored_bytes || a.raw_bytes != b.raw_bytes || a.codec != b.codec || a.digest != b.digest)
      return "two blocks overlap";
  }
  return {};
}

}  // namespace

std::string objection_to(const PartIdentity& identity) {
  if (!is_job_name(identity.job)) return "the job's name is not one";
  if (identity.program.size() > kMaxProgramBytes) return "the program's path is too long";
  if (identity.generation == 0) return "generations count from 1";
  if (identity.nodes == 0 || identity.nodes > kMaxNodes) return "the number of nodes is not one";
  if (identity.node.value >= identity.nodes) return "the node is not one of the job's";
  return {};
}

std::string objection_to(const Manifest& m) {
  if (std::string what = objection_to(m.identity); !what.empty()) return what;
  if (std::string what = files_objection(m); !what.empty()) return what;
  if (std::string what = refs_objection(m); !what.empty()) return what;
  if (std::string what = sections_objection(m); !what.empty()) return what;
  return blocks_objection(m);
}

uint64_t Manifest::pages() const {
  uint64_t sum = 0;
  for (const PageBlock& block : blocks) sum += static_cast<unsigned>(std::popcount(block.pages));
  return sum;
}

const Section* Manifest::find_section(const std::string& name) const {
  auto at = std::find_if(sections.begin(), sections.end(), [&](const Section& s) { return s.name == name; });
  return at == sections.end() ? nullptr : &*at;
}

std::vector<std::byte> encode(const Manifest& m) {
  DSM_CHECK(objection_to(m).empty());
  ManifestHeader header{};
  std::memcpy(header.magic, kManifestMagic, sizeof header.magic);
  header.version = kFormatVersion;
  header.header_bytes = sizeof header;
  header.generation = m.identity.generation;
  header.epoch = m.identity.epoch;
  header.node = m.identity.node.value;
  header.nodes = m.identity.nodes;
  header.page_bytes = kPageBytes;
  header.block_pages = kBlockPages;
  header.job_bytes = static_cast<uint32_t>(m.identity.job.size());
  header.program_bytes = static_cast<uint32_t>(m.identity.program.size());
  header.files = static_cast<uint32_t>(m.files.size());
  header.sections = static_cast<uint32_t>(m.sections.size());
  header.chunks = static_cast<uint32_t>(m.chunks.size());
  header.blocks = m.blocks.size();
  const size_t text = (sizeof header + header.job_bytes + header.program_bytes + kTextAlignment - 1) / kTextAlignment * kTextAlignment;
  header.file_bytes = text + m.files.size() * sizeof(FileEntry) + m.sections.size() * sizeof(SectionEntry) +
                      m.chunks.size() * sizeof(BlockRef) + m.blocks.size() * sizeof(PageBlock) + sizeof(Digest);
  ByteWriter out;
  out.put(header);
  out.append(std::as_bytes(std::span(m.identity.job)));
  out.append(std::as_bytes(std::span(m.identity.program)));
  out.pad_to(kTextAlignment);
  out.put_all(m.files);
  for (const Section& section : m.sections) {
    SectionEntry entry{};
    std::memcpy(entry.name, section.name.data(), section.name.size());
    entry.bytes = section.bytes;
    entry.first_chunk = section.first_chunk;
    entry.chunks = section.chunks;
    out.put(entry);
  }
  out.put_all(m.chunks);
  out.put_all(m.blocks);
  auto file = out.seal();
  DSM_CHECK(file.size() == header.file_bytes);
  return file;
}

Result<Manifest> decode_manifest(Bytes file) {
  auto content = unseal(file, kManifestMagic);
  if (!content.ok()) return content.error();
  ByteReader in(*content);
  ManifestHeader header;
  if (!in.get(header)) return damaged("it is shorter than its header");
  if (header.header_bytes != sizeof header) return damaged("its header has another size");
  if (header.file_bytes != file.size()) return damaged("it has another size than it says");
  if (header.page_bytes != kPageBytes || header.block_pages != kBlockPages) return damaged("pages or blocks of another size");
  if (header.job_bytes > kMaxJobBytes || header.program_bytes > kMaxProgramBytes || header.sections > kMaxSections)
    return damaged("a count in its header is impossible");
  Manifest m;
  m.identity = {{}, {}, header.epoch, header.generation, NodeId{header.node}, header.nodes};
  std::vector<SectionEntry> sections;
  const bool complete = in.get_text(m.identity.job, header.job_bytes) && in.get_text(m.identity.program, header.program_bytes) &&
                        in.skip_padding(content->size(), kTextAlignment) && in.get_all(m.files, header.files) &&
                        in.get_all(sections, header.sections) && in.get_all(m.chunks, header.chunks) &&
                        in.get_all(m.blocks, header.blocks) && in.at_end();
  if (!complete) return damaged("its tables do not have the sizes that its header says");
  for (const SectionEntry& entry : sections) {
    const size_t length = ::strnlen(entry.name, sizeof entry.name);
    if (std::any_of(entry.name + length, entry.name + sizeof entry.name, [](char c) { return c != 0; })) return damaged("a section's name");
    m.sections.push_back({std::string(entry.name, length), entry.bytes, entry.first_chunk, entry.chunks});
  }
  if (std::string what = objection_to(m); !what.empty()) return damaged(what);
  return m;
}

Digest seal_of(Bytes file) {
  Digest digest;
  DSM_CHECK(file.size() >= sizeof digest);
  std::memcpy(&digest, file.data() + file.size() - sizeof digest, sizeof digest);
  return digest;
}

}  // namespace dsm::ckpt
