// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/ckpt_sample.h"

#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

namespace dsm::ckpt::sample {
namespace {

constexpr uint64_t kFirstPage = 0x10000;
constexpr unsigned kSpan = 5 * kBlockPages;

// When the page was written last, as of `generation`; 0: never.
uint64_t written_at(uint64_t page, uint64_t generation, NodeId node) {
  for (uint64_t g = generation; g > 0; --g)
    if ((page * 7 + g * 13 + node.value * 3) % (g == 1 ? 3 : 9) == 0) return g;
  return 0;
}

uint64_t seed_of(uint64_t page, uint64_t generation, NodeId node) { return page << 24 ^ generation << 8 ^ node.value; }

Status add_block(GenerationWriter& writer, const Truth& truth, uint64_t number, uint64_t pages) {
  std::vector<std::byte> bytes;
  for (uint64_t left = pages; left != 0; left &= left - 1) {
    const auto& page = truth.pages.at(number * kBlockPages + static_cast<unsigned>(std::countr_zero(left)));
    bytes.insert(bytes.end(), page.begin(), page.end());
  }
  return pages == 0 ? success() : writer.add_pages(number, pages, bytes);
}

}  // namespace

Scratch::Scratch(const std::string& below) : path_(below + "/dsm-ckpt-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) std::abort();
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::byte> random_bytes(size_t bytes, uint64_t seed, bool compressible) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> out(bytes);
  for (size_t n = 0; n < bytes; ++n) out[n] = static_cast<std::byte>(compressible ? random() % 4 : random());
  return out;
}

Truth truth_of(uint64_t generation, NodeId node) {
  Truth truth;
  for (uint64_t page = kFirstPage; page < kFirstPage + kSpan; ++page)
    if (const uint64_t g = written_at(page, generation, node); g != 0)
      truth.pages[page] = random_bytes(kPageBytes, seed_of(page, g, node), page % 2 != 0);
  truth.sections["node"] = random_bytes(100 + generation, seed_of(1, generation, node), true);
  if (node == kOrigin) truth.sections["process"] = random_bytes(kBlockBytes + 5000, seed_of(2, generation, node), false);
  truth.sections["empty"] = {};
  return truth;
}

Result<PreparedPart> write_part(const std::string& root, uint64_t generation, NodeId node, const WriteOptions& options) {
  auto writer = GenerationWriter::begin(root, {kJob, "/usr/bin/sample", options.epoch, generation, node, kNodes}, {options.zstd_level});
  if (!writer.ok()) return writer.error();
  GenerationWriter& out = **writer;
  const Truth truth = truth_of(generation, node);
  for (const auto& [name, bytes] : truth.sections)
    if (auto added = out.add_section(name, bytes); !added.ok()) return added.error();
  std::map<uint64_t, uint64_t> left;  // pages to write, by block
  for (const auto& [page, bytes] : truth.pages) left[page / kBlockPages] |= uint64_t{1} << page % kBlockPages;
  if (options.older != nullptr) {
    for (const PageBlock& block : options.older->blocks) {
      uint64_t same = 0;
      for (unsigned n = 0; n < kBlockPages; ++n)
        if ((block.pages >> n & 1) && written_at(block.number * kBlockPages + n, generation, node) < generation) same |= uint64_t{1} << n;
      left[block.number] &= ~same;
      if (same == 0) continue;
      if (auto kept = out.keep_pages(*options.older, block, same); !kept.ok()) return kept.error();
    }
  }
  for (const auto& [number, pages] : left) {
    // Not in order, and in two pieces: agents write what they have when they have it.
    const uint64_t odd = pages & 0xaaaaaaaaaaaaaaaa;
    if (auto added = add_block(out, truth, number, odd); !added.ok()) return added.error();
    if (auto added = add_block(out, truth, number, pages & ~odd); !added.ok()) return added.error();
  }
  return out.finish();
}

Status write_generation(const std::string& root, uint64_t generation) {
  CommitRecord record{kJob, generation, 1, {}, {}};
  for (uint16_t n = 0; n < kNodes; ++n) {
    std::unique_ptr<GenerationReader> older;
    if (generation > 1) {
      auto opened = GenerationReader::open(root, kJob, NodeId{n}, generation - 1, {});
      if (opened.ok()) older = std::move(opened).value();
    }
    auto part = write_part(root, generation, NodeId{n}, {generation % 2 ? 0 : 3, 1, older ? &older->manifest() : nullptr});
    if (!part.ok()) return part.error();
    record.parts.push_back(part->entry);
  }
  for (uint16_t n = 0; n < kNodes; ++n) {
    record.holder = NodeId{n};
    if (auto written = write_commit(root, record); !written.ok()) return written;
  }
  return success();
}

Result<Truth> read_part(GenerationReader& reader) {
  Truth truth;
  for (const Section& section : reader.manifest().sections) {
    auto bytes = reader.section(section.name, uint64_t{1} << 30);
    if (!bytes.ok()) return bytes.error();
    truth.sections[section.name] = std::move(bytes).value();
  }
  auto read = reader.for_each_page([&](uint64_t number, uint64_t pages, Bytes bytes) -> Status {
    for (uint64_t left = pages; left != 0; left &= left - 1, bytes = bytes.subspan(kPageBytes)) {
      const uint64_t page = number * kBlockPages + static_cast<unsigned>(std::countr_zero(left));
      if (!truth.pages.emplace(page, std::vector<std::byte>(bytes.begin(), bytes.begin() + kPageBytes)).second)
        return Error{"page " + std::to_string(page) + " came twice", EINVAL};
    }
    return success();
  });
  if (!read.ok()) return read.error();
  return truth;
}

}  // namespace dsm::ckpt::sample
