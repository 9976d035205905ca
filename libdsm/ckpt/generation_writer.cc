// SPDX-License-Identifier: Apache-2.0
#include "libdsm/ckpt/generation_writer.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <numeric>

#include "libdsm/base/check.h"
#include "libdsm/ckpt/store_names.h"

namespace dsm::ckpt {
namespace {

const std::string kTemporary = ".tmp";

Status refuse_committed(const std::string& root, const PartIdentity& identity) {
  auto job = os::Folder::open(root + "/" + identity.job);
  if (!job.ok()) return job.error();
  auto names = job->list();
  if (!names.ok()) return names.error();
  for (const std::string& name : *names)
    if (auto commit = commit_of(name); commit && commit->generation == identity.generation)
      return Error{"generation " + std::to_string(identity.generation) + " is committed already (" + job->path_of(name) + ")", EEXIST};
  return success();
}

}  // namespace

Result<std::unique_ptr<GenerationWriter>> GenerationWriter::begin(const std::string& root, PartIdentity identity,
                                                                  const WriterOptions& options) {
  if (std::string what = objection_to(identity); !what.empty()) return Error{"no checkpoint can be written: " + what, EINVAL};
  auto folder = os::Folder::create(root + "/" + identity.job + "/" + node_folder(identity.node));
  if (!folder.ok()) return folder.error();
  if (auto locked = folder->lock_exclusively(); !locked.ok()) return locked.error();
  if (auto open = refuse_committed(root, identity); !open.ok()) return open.error();
  std::unique_ptr<GenerationWriter> writer(new GenerationWriter(std::move(folder).value(), std::move(identity), options));
  if (auto opened = writer->open_data(); !opened.ok()) return opened.error();
  return writer;
}

GenerationWriter::~GenerationWriter() {
  if (!finished_) abandon();
}

Status GenerationWriter::fail(Error error) {
  if (state_.ok()) state_ = std::move(error);
  return state_;
}

// The manifest of an earlier attempt first: without it, its data are nothing.
Status GenerationWriter::open_data() {
  const PartIdentity& identity = manifest_.identity;
  const std::string data = data_name(identity.generation), manifest = manifest_name(identity.generation);
  for (const std::string& name : {manifest, data, manifest + kTemporary, data + kTemporary})
    if (auto removed = folder_.remove(name); !removed.ok()) return fail(removed.error());
  if (auto synced = folder_.sync(); !synced.ok()) return fail(synced.error());
  auto file = os::DirectWriter::create(folder_, data + kTemporary);
  if (!file.ok()) return fail(file.error());
  data_ = std::move(file).value();
  manifest_.files.push_back({identity.generation, identity.epoch, 0});

  auto header = std::make_unique<DataHeader>();
  *header = {};
  std::memcpy(header->magic, kDataMagic, sizeof header->magic);
  header->version = kFormatVersion;
  header->header_bytes = kDataHeaderBytes;
  header->generation = identity.generation;
  header->epoch = identity.epoch;
  header->node = identity.node.value;
  header->nodes = identity.nodes;
  header->job_bytes = static_cast<uint32_t>(identity.job.size());
  std::memcpy(header->job, identity.job.data(), identity.job.size());
  const Bytes bytes = std::as_bytes(std::span(header.get(), 1));
  header->digest = digest_of(bytes.first(bytes.size() - sizeof(Digest)));
  if (auto written = data_->append(bytes); !written.ok()) return fail(written.error());
  return success();
}

Status GenerationWriter::store(Bytes raw, BlockRef& ref) {
  const Bytes stored = encoder_.encode(raw, ref);
  ref.file = 0;
  ref.offset = data_->offset();
  if (auto written = data_->append(stored); !written.ok()) return fail(written.error());
  return success();
}

Status GenerationWriter::add_section(const std::string& name, Bytes bytes) {
  if (!state_.ok()) return state_;
  DSM_CHECK(!finished_);
  if (name.empty() || name.size() >= sizeof(SectionEntry::name) || manifest_.find_section(name) || manifest_.sections.size() == kMaxSections)
    return fail(Error{"there can be no (further) section named '" + name + "'", EINVAL});
  Section section{name, bytes.size(), static_cast<uint32_t>(manifest_.chunks.size()), 0};
  for (; !bytes.empty(); ++section.chunks) {
    const size_t piece = std::min(bytes.size(), kBlockBytes);
    BlockRef ref{};
    if (auto stored = store(bytes.first(piece), ref); !stored.ok()) return stored;
    manifest_.chunks.push_back(ref);
    bytes = bytes.subspan(piece);
  }
  manifest_.sections.push_back(std::move(section));
  return success();
}

Status GenerationWriter::add_pages(uint64_t number, uint64_t pages, Bytes bytes) {
  if (!state_.ok()) return state_;
  DSM_CHECK(!finished_ && pages != 0 && bytes.size() == static_cast<unsigned>(std::popcount(pages)) * kPageBytes);
  PageBlock block{number, pages, pages, {}};
  if (auto stored = store(bytes, block.where); !stored.ok()) return stored;
  manifest_.blocks.push_back(block);
  return success();
}

uint32_t GenerationWriter::file_index(const FileEntry& file) {
  auto& files = manifest_.files;
  auto at = std::find_if(files.begin(), files.end(), [&](const FileEntry& f) { return f.generation == file.generation; });
  if (at == files.end()) at = files.insert(files.end(), file);
  return static_cast<uint32_t>(at - files.begin());
}

Status GenerationWriter::keep_pages(const Manifest& older, const PageBlock& block, uint64_t pages) {
  if (!state_.ok()) return state_;
  DSM_CHECK(!finished_ && pages != 0 && (pages & ~block.pages) == 0);
  DSM_CHECK(older.identity.job == manifest_.identity.job && older.identity.node == manifest_.identity.node &&
            older.identity.generation < manifest_.identity.generation);
  PageBlock kept = block;
  kept.pages = pages;
  kept.where.file = file_index(older.files[block.where.file]);
  manifest_.blocks.push_back(kept);
  return success();
}

// By generation, as readers expect.
void GenerationWriter::order_files() {
  const std::vector<FileEntry> files = manifest_.files;
  std::vector<uint32_t> order(files.size()), place(files.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return files[a].generation < files[b].generation; });
  for (uint32_t n = 0; n < order.size(); ++n) {
    place[order[n]] = n;
    manifest_.files[n] = files[order[n]];
  }
  for (BlockRef& chunk : manifest_.chunks) chunk.file = place[chunk.file];
  for (PageBlock& block : manifest_.blocks) block.where.file = place[block.where.file];
}

Result<PreparedPart> GenerationWriter::finish() {
  if (!state_.ok()) return state_.error();
  DSM_CHECK(!finished_);
  auto part = seal();
  if (!part.ok()) {
    (void)fail(part.error());
    abandon();
  }
  finished_ = true;
  return part;
}

Result<PreparedPart> GenerationWriter::seal() {
  auto bytes = data_->finish();
  if (!bytes.ok()) return bytes.error();
  data_.reset();
  manifest_.files[0].file_bytes = *bytes;
  order_files();
  std::stable_sort(manifest_.blocks.begin(), manifest_.blocks.end(), [](const PageBlock& a, const PageBlock& b) { return a.number < b.number; });
  if (std::string what = objection_to(manifest_); !what.empty()) return Error{"the checkpoint's pages are inconsistent: " + what, EINVAL};
  const std::vector<std::byte> manifest = encode(manifest_);
  if (manifest.size() > kMaxManifestBytes) return Error{"the checkpoint has more blocks than a manifest may name", EFBIG};
  const std::string data = data_name(manifest_.identity.generation);
  if (auto renamed = folder_.rename(data + kTemporary, data); !renamed.ok()) return renamed.error();
  if (auto synced = folder_.sync(); !synced.ok()) return synced.error();
  const std::string name = manifest_name(manifest_.identity.generation);
  if (auto written = folder_.write_file(name, manifest); !written.ok()) return written.error();
  return PreparedPart{{manifest.size(), seal_of(manifest)}, *bytes + manifest.size(), manifest_.pages()};
}

// What cannot be removed (a disk that went read-only) is no part: the next attempt or prune removes it.
void GenerationWriter::abandon() {
  const std::string data = data_name(manifest_.identity.generation), manifest = manifest_name(manifest_.identity.generation);
  data_.reset();
  for (const std::string& name : {manifest, manifest + kTemporary, data + kTemporary, data}) (void)folder_.remove(name);
  (void)folder_.sync();
  (void)fail(Error{"the checkpoint was abandoned", ECANCELED});
  finished_ = true;
}

}  // namespace dsm::ckpt
