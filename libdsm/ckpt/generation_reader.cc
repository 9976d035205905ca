// SPDX-License-Identifier: Apache-2.0
#include "libdsm/ckpt/generation_reader.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "libdsm/ckpt/store_names.h"

namespace dsm::ckpt {
namespace {

Error in_file(const std::string& path, const Error& error) { return Error{path + " " + error.what, error.code}; }

std::string header_objection(const DataHeader& header, const PartIdentity& part, const FileEntry& file) {
  const Bytes bytes = std::as_bytes(std::span(&header, 1));
  if (std::memcmp(header.magic, kDataMagic, sizeof header.magic) != 0) return "does not begin as a data file does";
  if (digest_of(bytes.first(bytes.size() - sizeof(Digest))) != header.digest) return "is damaged (its header does not fit its digest)";
  if (header.version != kFormatVersion || header.header_bytes != kDataHeaderBytes)
    return "has format version " + std::to_string(header.version) + ", this program reads version " + std::to_string(kFormatVersion);
  const std::string_view job(header.job, std::min<size_t>(header.job_bytes, kMaxJobBytes));
  if (job != part.job || header.node != part.node.value || header.nodes != part.nodes || header.generation != file.generation ||
      header.epoch != file.epoch)
    return "belongs to another job, node, generation or attempt";
  return {};
}

// The pages of an entry that count, moved together. `bytes` has those that are stored.
Bytes select_pages(const PageBlock& block, Bytes bytes, std::vector<std::byte>& into) {
  if (block.pages == block.stored) return bytes;
  into.clear();
  size_t at = 0;
  for (uint64_t left = block.stored; left != 0; left &= left - 1, at += kPageBytes) {
    const uint64_t page = left & -left;
    if ((block.pages & page) != 0) into.insert(into.end(), bytes.begin() + at, bytes.begin() + at + kPageBytes);
  }
  return into;
}

}  // namespace

Result<std::unique_ptr<GenerationReader>> GenerationReader::open(const std::string& root, const std::string& job, NodeId node,
                                                                 uint64_t generation, const std::optional<CommitEntry>& expected) {
  auto folder = os::Folder::open(root + "/" + job + "/" + node_folder(node));
  if (!folder.ok()) return folder.error();
  const std::string name = manifest_name(generation), path = folder->path_of(name);
  auto file = folder->read_file(name, kMaxManifestBytes);
  if (!file.ok()) return file.error();
  auto manifest = decode_manifest(*file);
  if (!manifest.ok()) return in_file(path, manifest.error());
  const PartIdentity& part = manifest->identity;
  if (part.job != job || part.node != node || part.generation != generation)
    return Error{path + " belongs to another job, node or generation (job " + part.job + ", node " + std::to_string(part.node.value) +
                     ", generation " + std::to_string(part.generation) + ")", EBADMSG};
  if (expected && (expected->manifest_bytes != file->size() || expected->manifest != seal_of(*file)))
    return Error{path + " is not the one that was committed", EBADMSG};
  std::unique_ptr<GenerationReader> reader(new GenerationReader(std::move(folder).value(), std::move(manifest).value()));
  if (auto checked = reader->check_files(); !checked.ok()) return checked.error();
  return reader;
}

Status GenerationReader::check_files() {
  DataHeader header;
  for (const FileEntry& file : manifest_.files) {
    const std::string name = data_name(file.generation), path = folder_.path_of(name);
    auto bytes = folder_.bytes_of(name);
    if (!bytes.ok()) return bytes.error();
    if (*bytes != file.file_bytes)
      return Error{path + " has " + std::to_string(*bytes) + " bytes instead of " + std::to_string(file.file_bytes), EBADMSG};
    if (auto read = folder_.read_front(name, std::as_writable_bytes(std::span(&header, 1))); !read.ok()) return read.error();
    if (std::string what = header_objection(header, manifest_.identity, file); !what.empty()) return Error{path + " " + what, EBADMSG};
  }
  return success();
}

// Opened when first used: each holds buffers.
Status GenerationReader::open_file(uint32_t index) {
  if (files_[index]) return success();
  auto opened = os::DirectReader::open(folder_, data_name(manifest_.files[index].generation));
  if (!opened.ok()) return opened.error();
  files_[index] = std::move(opened).value();
  return success();
}

Result<Bytes> GenerationReader::read_block(const BlockRef& ref) {
  if (auto opened = open_file(ref.file); !opened.ok()) return opened.error();
  const std::span<std::byte> stored = std::span(stored_).first(ref.stored_bytes);
  if (auto read = files_[ref.file]->read(ref.offset, stored); !read.ok()) return read.error();
  auto raw = decoder_.decode(ref, stored);
  if (!raw.ok()) return in_file(folder_.path_of(data_name(manifest_.files[ref.file].generation)), raw.error());
  return *raw;
}

Status GenerationReader::for_each_page(const OnPages& on_pages) {
  std::vector<std::byte> selected;
  for (const PageBlock& block : manifest_.blocks) {
    auto raw = read_block(block.where);
    if (!raw.ok()) return raw.error();
    if (auto taken = on_pages(block.number, block.pages, select_pages(block, *raw, selected)); !taken.ok()) return taken;
  }
  return success();
}

Status GenerationReader::read_section(const std::string& name, const OnBytes& on_bytes) {
  const Section* section = manifest_.find_section(name);
  if (section == nullptr) return Error{folder_.path_of(manifest_name(manifest_.identity.generation)) + " has no section '" + name + "'", ENOENT};
  for (uint32_t n = 0; n < section->chunks; ++n) {
    auto raw = read_block(manifest_.chunks[section->first_chunk + n]);
    if (!raw.ok()) return raw.error();
    if (auto taken = on_bytes(*raw); !taken.ok()) return taken;
  }
  return success();
}

Result<std::vector<std::byte>> GenerationReader::section(const std::string& name, uint64_t limit) {
  const Section* found = manifest_.find_section(name);
  if (found && found->bytes > limit)
    return Error{folder_.path_of(manifest_name(manifest_.identity.generation)) + ": section '" + name + "' is too large", EFBIG};
  std::vector<std::byte> bytes;
  auto read = read_section(name, [&](Bytes piece) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return success();
  });
  if (!read.ok()) return read.error();
  return bytes;
}

Status GenerationReader::verify() {
  for (const Section& section : manifest_.sections)
    if (auto read = read_section(section.name, [](Bytes) { return success(); }); !read.ok()) return read;
  return for_each_page([](uint64_t, uint64_t, Bytes) { return success(); });
}

}  // namespace dsm::ckpt
