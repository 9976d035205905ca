// SPDX-License-Identifier: Apache-2.0
#include "tests/ckpt/store_damage.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "libdsm/base/check.h"
#include "libdsm/ckpt/store_names.h"

namespace dsm::ckpt::damage {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNames[] = {"flip-bit", "flip-nibbles", "set-byte", "zero-run", "truncate", "truncate-page", "extend", "extend-page", "empty",
                                  "missing", "folder", "link", "pipe", "other-generation", "other-node", "other-kind", "wrong-version",
                                  "patch-and-reseal", "swap-pages", "drop-bytes", "insert-bytes", "duplicate"};
static_assert(std::size(kNames) == static_cast<size_t>(Kind::kCount));

std::vector<std::byte> content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void reseal(std::vector<std::byte>& content) {
  const Digest digest = digest_of(Bytes(content).first(content.size() - sizeof(Digest)));
  std::memcpy(content.data() + content.size() - sizeof digest, &digest, sizeof digest);
}

}  // namespace

const char* to_string(Kind kind) { return kNames[static_cast<unsigned>(kind)]; }

DamagedStore::DamagedStore(std::string root, uint64_t seed) : root_(std::move(root)), random_(seed) {
  std::map<std::string, std::vector<std::pair<uint64_t, uint64_t>>> covered;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (!entry.is_regular_file()) continue;
    const std::string path = fs::relative(entry.path(), root_), name = entry.path().filename();
    File& file = files_[path];
    file.content = content_of(entry.path());
    if (const auto commit = commit_of(name)) {
      file.is_commit = true;
      file.generations.insert(commit->generation);
      all_.insert(commit->generation);
    } else if (const auto part = part_of(name); part && part->file == PartFile::kManifest) {
      file.generations.insert(part->generation);
      auto manifest = decode_manifest(file.content);
      DSM_CHECK(manifest.ok());
      auto data_path = [&](uint32_t n) { return (fs::path(path).parent_path() / data_name(manifest->files[n].generation)).string(); };
      for (uint32_t n = 0; n < manifest->files.size(); ++n) files_[data_path(n)].generations.insert(part->generation);
      auto cover = [&](const BlockRef& ref) { covered[data_path(ref.file)].push_back({ref.offset, ref.stored_bytes}); };
      for (const auto& chunk : manifest->chunks) cover(chunk);
      for (const auto& block : manifest->blocks) cover(block.where);
    }
  }
  for (auto& [path, file] : files_) {
    names_.push_back(path);
    const bool data = path.ends_with(".data");
    file.counts.assign(file.content.size(), !data);
    if (data) std::fill_n(file.counts.begin(), kDataHeaderBytes, true);
    for (const auto& [offset, bytes] : covered[path]) std::fill_n(file.counts.begin() + static_cast<ptrdiff_t>(offset), bytes, true);
  }
}

// Often where numbers are.
size_t DamagedStore::pick_offset(const File& file) {
  const size_t size = file.content.size();
  switch (below(4)) {
    case 0: return below(std::min<size_t>(size, 128));
    case 1: return size - 1 - below(std::min<size_t>(size, 128));
    default: return below(size);
  }
}

std::string DamagedStore::other_file(const std::string& path, Kind kind) {
  std::vector<std::string> fits;
  const fs::path self(path);
  for (const std::string& name : names_) {
    const fs::path other(name);
    const bool same_folder = other.parent_path() == self.parent_path(), same_name = other.filename() == self.filename();
    const bool same_kind = other.extension() == self.extension() && files_[name].is_commit == files_[path].is_commit;
    if (kind == Kind::kOtherGeneration ? same_folder && !same_name && (same_kind || files_[path].is_commit) && files_[name].is_commit == files_[path].is_commit
                                       : kind == Kind::kOtherNode ? !same_folder && same_name : !same_kind)
      fits.push_back(name);
  }
  return fits.empty() ? std::string() : fits[below(fits.size())];
}

void DamagedStore::put(const std::string& path, const Content& content) {
  const fs::path full = fs::path(root_) / path;
  fs::remove_all(full);
  std::ofstream out(full, std::ios::binary);
  out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  DSM_CHECK(out.good());
}

bool DamagedStore::change(const std::string& path, Kind kind, Content& content, bool& named) {
  const File& file = files_[path];
  const fs::path full = fs::path(root_) / path;
  const size_t at = pick_offset(file);
  auto end = [&](size_t bytes) { return std::min(content.size(), at + bytes); };
  named = true;
  switch (kind) {
    case Kind::kFlipBit: content[at] ^= static_cast<std::byte>(1u << below(8)); break;
    case Kind::kFlipLowNibbles: for (size_t n = at; n < end(1 + below(32)); ++n) content[n] ^= std::byte{0xf}; break;
    case Kind::kSetByte: content[at] = static_cast<std::byte>(random_()); break;
    case Kind::kZeroRun: std::fill(content.begin() + static_cast<ptrdiff_t>(at), content.begin() + static_cast<ptrdiff_t>(end(1 + below(9000))), std::byte{0}); break;
    case Kind::kTruncate: content.resize(at); break;
    case Kind::kTruncatePage: content.resize((content.size() - 1) / kPageBytes * kPageBytes); break;
    case Kind::kExtend: content.resize(content.size() + 1 + below(5000), static_cast<std::byte>(random_())); break;
    case Kind::kExtendPage: content.resize(content.size() + kPageBytes); break;
    case Kind::kEmpty: content.clear(); break;
    case Kind::kMissing: fs::remove(full); return true;
    case Kind::kFolder: fs::remove(full); fs::create_directory(full); return true;
    case Kind::kPipe: fs::remove(full); return ::mkfifo(full.c_str(), 0600) == 0;
    case Kind::kLink: {
      const std::string other = other_file(path, Kind::kOtherGeneration);
      if (other.empty()) return false;
      fs::remove(full);
      fs::create_symlink(fs::path(root_) / other, full);
      return true;
    }
    case Kind::kOtherGeneration: case Kind::kOtherNode: case Kind::kOtherKind: {
      const std::string other = other_file(path, kind);
      if (other.empty()) return false;
      content = files_[other].content;
      break;
    }
    case Kind::kWrongVersion:
      content[8] = static_cast<std::byte>(2 + below(250));
      if (!path.ends_with(".data")) reseal(content);
      break;
    case Kind::kPatchAndReseal: {  // sound by itself; only the commit record tells
      if (!path.ends_with(".manifest")) return false;
      const uint64_t value = below(3) == 0 ? random_() : below(70);
      const size_t offset = below(content.size() / 4 - 4) * 4;
      std::memcpy(content.data() + offset, &value, 4);
      reseal(content);
      break;
    }
    case Kind::kSwapPages: {
      if (content.size() < 3 * kPageBytes) return false;
      const size_t pages = content.size() / kPageBytes, a = 1 + below(pages - 1), b = 1 + below(pages - 1);
      if (std::equal(content.begin() + a * kPageBytes, content.begin() + (a + 1) * kPageBytes, content.begin() + b * kPageBytes)) return false;
      std::swap_ranges(content.begin() + a * kPageBytes, content.begin() + (a + 1) * kPageBytes, content.begin() + b * kPageBytes);
      break;
    }
    case Kind::kDropBytes: content.erase(content.begin() + static_cast<ptrdiff_t>(at), content.begin() + static_cast<ptrdiff_t>(end(1 + below(300)))); break;
    case Kind::kInsertBytes: content.insert(content.begin() + static_cast<ptrdiff_t>(at), 1 + below(300), static_cast<std::byte>(random_())); break;
    case Kind::kDuplicate: {  // under a name of a newer generation; nothing is damaged
      const fs::path self(path);
      const std::string added = self.parent_path() / (file.is_commit ? commit_name(9, NodeId{static_cast<uint16_t>(below(2))}) : path.ends_with(".data") ? data_name(9) : manifest_name(9));
      if (files_.contains(added) || fs::exists(fs::path(root_) / added)) return false;
      fs::copy_file(full, fs::path(root_) / added);
      added_.push_back(added);
      named = false;
      return true;
    }
    case Kind::kCount: return false;
  }
  if (content == file.content) return false;
  if (content.size() == file.content.size()) {
    named = false;
    for (size_t n = 0; n < content.size() && !named; ++n) named = file.counts[n] && content[n] != file.content[n];
  }
  put(path, content);
  return true;
}

Damage DamagedStore::damage() {
  for (;;) {
    const std::string path = names_[below(names_.size())];
    if (damaged_.contains(path)) continue;
    const auto kind = static_cast<Kind>(below(static_cast<unsigned>(Kind::kCount)));
    File& file = files_[path];
    Content content = file.content;
    Damage done{kind, path, file.generations, true, file.is_commit};
    if (!change(path, kind, content, done.must_be_named)) continue;
    // One commit record is enough: that a copy is gone shows in the list of holders.
    if (kind == Kind::kDuplicate) done.generations.clear();
    if (file.is_commit && kind == Kind::kMissing) done.must_be_named = false;
    if (kind != Kind::kDuplicate) damaged_[path] = done;
    return done;
  }
}

std::set<uint64_t> DamagedStore::untouched() const {
  std::set<uint64_t> left = all_;
  std::map<uint64_t, unsigned> records;
  for (const auto& [path, file] : files_)
    if (file.is_commit && !damaged_.contains(path)) ++records[*file.generations.begin()];
  for (const auto& [path, damage] : damaged_)
    if (!damage.is_commit)
      for (const uint64_t generation : damage.generations) left.erase(generation);
  std::erase_if(left, [&](uint64_t generation) { return records[generation] == 0; });
  return left;
}

void DamagedStore::repair() {
  for (const auto& [path, damage] : damaged_) put(path, files_[path].content);
  for (const std::string& path : added_) fs::remove_all(fs::path(root_) / path);
  damaged_.clear();
  added_.clear();
}

}  // namespace dsm::ckpt::damage
