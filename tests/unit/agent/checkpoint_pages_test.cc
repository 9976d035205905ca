// SPDX-License-Identifier: Apache-2.0
// From memory into a store and back: what a node writes, where its pages go, and that no page comes twice.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "libdsm/agent/checkpoint_loader.h"
#include "libdsm/agent/checkpoint_task.h"
#include "libdsm/agent/checkpoint_writer.h"
#include "tests/harness/ckpt_sample.h"

namespace dsm::agent {
namespace {

using ckpt::sample::random_bytes;
using ckpt::sample::Scratch;

constexpr uint64_t kSpace = uint64_t{1} << 47;
constexpr BlockNo kOpened{100};

os::Memfd memory_with(const std::vector<uint64_t>& pages) {
  os::Memfd memory = os::Memfd::create("test", kSpace);
  EXPECT_TRUE(memory.valid());
  for (const uint64_t page : pages) EXPECT_EQ(memory.write(page * kPageBytes, random_bytes(kPageBytes, page, false)), 0);
  return memory;
}

std::vector<uint64_t> present(const os::Memfd& memory) {
  std::vector<uint64_t> pages;
  for (int64_t at = 0; (at = memory.next_data(static_cast<uint64_t>(at))) >= 0; at += kPageBytes) pages.push_back(static_cast<uint64_t>(at) / kPageBytes);
  return pages;
}

void expect_content(const os::Memfd& memory, const std::vector<uint64_t>& pages) {
  std::vector<std::byte> bytes(kPageBytes);
  for (const uint64_t page : pages) {
    ASSERT_EQ(memory.read(page * kPageBytes, bytes), 0);
    EXPECT_TRUE(bytes == random_bytes(kPageBytes, page, false)) << "page " << page;
  }
}

Result<ckpt::PreparedPart> write(const std::string& root, NodeId node, const CutPlan& plan, const os::Memfd& memory) {
  auto writer = ckpt::GenerationWriter::begin(root, {"4711", "/bin/x", 1, 1, node, 2}, {});
  if (!writer.ok()) return writer.error();
  if (auto written = write_pages(plan, memory, **writer); !written.ok()) return written.error();
  return (*writer)->finish();
}

std::vector<std::unique_ptr<ckpt::GenerationReader>> open_both(const std::string& root) {
  std::vector<std::unique_ptr<ckpt::GenerationReader>> parts;
  for (uint16_t n = 0; n < 2; ++n) {
    auto part = ckpt::GenerationReader::open(root, "4711", NodeId{n}, 1, {});
    EXPECT_TRUE(part.ok());
    if (part.ok()) parts.push_back(std::move(part).value());
  }
  return parts;
}

// The origin's cache as it is after kOpened was opened with these pages.
coherence::CacheController origin_cache(const std::vector<unsigned>& pages) {
  coherence::CacheController cache({.self = kOrigin, .nodes = 2}, pagedir::ShardMap::uniform(2));
  coherence::BlockInfo info{};
  for (const unsigned n : pages) info.present.set(n);
  coherence::Actions actions;
  cache.on_block_presence(kOpened, info, 1, actions);
  return cache;
}

memory::MappedRange range(uint64_t first_page, uint64_t pages, memory::RangeKind kind = memory::RangeKind::kPrivate) {
  memory::MappedRange r;
  r.start = first_page * kPageBytes;
  r.end = r.start + pages * kPageBytes;
  r.protection = memory::kRead | memory::kWrite;
  r.kind = kind;
  if (kind == memory::RangeKind::kFileRead) r.file = std::make_shared<memory::MappedFile>(memory::MappedFile{os::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)), "/dev/null"});
  return r;
}

TEST(CheckpointPages, BothPartsComeTogetherInOneMemory) {
  Scratch scratch;
  std::vector<uint64_t> at_origin = {0, 63, 64, 127, kSpace / kPageBytes - 1}, away;
  for (uint64_t page = 640; page < 640 + 64; ++page) at_origin.push_back(page);  // a whole group
  for (uint64_t page = 64 * 1000; page < 64 * 1003; page += 3) away.push_back(page);
  const os::Memfd origin = memory_with(at_origin), worker = memory_with(away);
  const CutPlan origin_plan = {{0, uint64_t{1} | uint64_t{1} << 63}, {1, uint64_t{1} | uint64_t{1} << 63}, {10, ~uint64_t{0}}, {kSpace / kPageBytes / 64 - 1, uint64_t{1} << 63}};
  CutPlan worker_plan;
  for (const uint64_t page : away) {
    if (worker_plan.empty() || worker_plan.back().number != page / 64) worker_plan.push_back({page / 64, 0});
    worker_plan.back().pages |= uint64_t{1} << page % 64;
  }
  ASSERT_TRUE(write(scratch.path(), NodeId{0}, origin_plan, origin).ok());
  auto part = write(scratch.path(), NodeId{1}, worker_plan, worker);
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(part->pages, pages_of(worker_plan));

  os::Memfd restored = os::Memfd::create("restored", kSpace);
  auto loaded = load_memory(open_both(scratch.path()), restored);
  ASSERT_TRUE(loaded.ok()) << loaded.error().what;
  EXPECT_EQ(loaded->pages, at_origin.size() + away.size());
  EXPECT_EQ(present(restored).size(), at_origin.size() + away.size());
  expect_content(restored, at_origin);
  expect_content(restored, away);
}

TEST(CheckpointPages, APageInTwoPartsIsRefused) {
  Scratch scratch;
  const os::Memfd memory = memory_with({5, 6});
  ASSERT_TRUE(write(scratch.path(), NodeId{0}, {{0, 1u << 5}}, memory).ok());
  ASSERT_TRUE(write(scratch.path(), NodeId{1}, {{0, 3u << 5}}, memory).ok());
  os::Memfd restored = os::Memfd::create("restored", kSpace);
  auto loaded = load_memory(open_both(scratch.path()), restored);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, EBADMSG);
  EXPECT_NE(loaded.error().what.find("page 5 is in two parts"), std::string::npos) << loaded.error().what;
}

TEST(CheckpointPages, TheOriginWritesWhatIsPresentAndWhatItOwns) {
  const uint64_t first = first_page(kOpened).value;
  const auto cache = origin_cache({3, 200});
  memory::AddressMap map;
  map.add(range(first - 600, 1200));
  map.add(range(1, uint64_t{1} << 30));  // a reserved terabyte, of which little was touched
  map.add(range(first - 600, 1200));
  // Native: 599 and 1 before the block, one behind it. In the block: 3 and 200 are owned, what is present of 9 is another node's business.
  const os::Memfd memory = memory_with({7, first - 600, first - 599, first - 1, first + 3, first + 9, first + 200, first + 512});
  auto plan = plan_of_origin(coherence::CutSelection(cache), cache, map, memory);
  ASSERT_TRUE(plan.ok());
  std::vector<uint64_t> pages;
  for (const CutGroup& group : *plan)
    for (unsigned n = 0; n < 64; ++n)
      if (group.pages >> n & 1) pages.push_back(group.number * 64 + n);
  EXPECT_EQ(pages, (std::vector<uint64_t>{7, first - 600, first - 599, first - 1, first + 3, first + 200, first + 512}));
}

TEST(CheckpointPages, OnlyPrivateRangesOfTheMap) {
  const uint64_t first = first_page(kOpened).value;
  const auto cache = origin_cache({3, 4, 5, 6});
  memory::AddressMap map;
  map.add(range(first + 3, 1));
  map.add(range(first + 4, 1, memory::RangeKind::kFileRead));
  map.add(range(first + 5, 1, memory::RangeKind::kPinned));  // 6 is mapped nowhere
  map.add(range(first + 512, 2, memory::RangeKind::kPinned));
  const os::Memfd memory = memory_with({first + 3, first + 4, first + 5, first + 6, first + 512, first + 514});
  auto plan = plan_of_origin(coherence::CutSelection(cache), cache, map, memory);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(*plan, (CutPlan{{first / 64, 8}}));
}

CheckpointOrder order_for(const std::string& root, os::Memfd memory, CutPlan plan) {
  return {root, {"4711", "/bin/x", 1, 1, kOrigin, 1}, {}, std::move(plan), std::move(memory), {}};
}

Result<ckpt::PreparedPart> outcome(CheckpointTask& task) {
  pollfd wait{task.completion_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 20000), 1) << "the task does not say that it is done";
  return task.take();
}

TEST(CheckpointTask, WritesPagesAndTheProcessImage) {
  Scratch scratch;
  const auto image = random_bytes(300000, 5, false);
  os::Memfd image_file = os::Memfd::create("image", image.size());
  ASSERT_EQ(image_file.write(0, image), 0);
  CutPlan plan;
  std::vector<uint64_t> pages;
  for (uint64_t number = 0; number < 40; ++number) {
    plan.push_back({number, 5});
    pages.insert(pages.end(), {number * 64, number * 64 + 2});
  }
  CheckpointOrder order = order_for(scratch.path(), memory_with(pages), plan);
  order.process_image.reset(::dup(image_file.fd()));
  auto task = CheckpointTask::start(std::move(order));
  ASSERT_TRUE(task.ok());
  auto part = outcome(**task);
  ASSERT_TRUE(part.ok()) << part.error().what;
  EXPECT_EQ(part->pages, pages.size());
  std::vector<std::unique_ptr<ckpt::GenerationReader>> parts;
  parts.push_back(ckpt::GenerationReader::open(scratch.path(), "4711", kOrigin, 1, part->entry).value());
  EXPECT_TRUE(parts[0]->section(kProcessSection, image.size()).value() == image);
  os::Memfd restored = os::Memfd::create("restored", kSpace);
  ASSERT_TRUE(load_memory(parts, restored).ok());
  EXPECT_EQ(present(restored), pages);
  expect_content(restored, pages);
}

TEST(CheckpointTask, ACancelledOneLeavesNothing) {
  Scratch scratch;
  CutPlan plan;
  for (uint64_t number = 0; number < 4000; ++number) plan.push_back({number, ~uint64_t{0}});  // a GiB of zeros
  auto task = CheckpointTask::start(order_for(scratch.path(), memory_with({1}), plan));
  ASSERT_TRUE(task.ok());
  (*task)->cancel();
  auto part = outcome(**task);
  ASSERT_FALSE(part.ok());
  EXPECT_EQ(part.error().code, ECANCELED);
  const std::string folder = scratch.path() + "/4711/node-0";
  EXPECT_TRUE(!std::filesystem::exists(folder) || std::filesystem::is_empty(folder));
  task = CheckpointTask::start(order_for(scratch.path(), memory_with({1}), plan));
  ASSERT_TRUE(task.ok());
  task->reset();  // likewise
  EXPECT_TRUE(!std::filesystem::exists(folder) || std::filesystem::is_empty(folder));
}

TEST(CheckpointTask, AFailureIsTheResult) {
  Scratch scratch;
  std::ofstream(scratch.path() + "/file") << "x";
  auto task = CheckpointTask::start(order_for(scratch.path() + "/file", memory_with({1}), {{0, 2}}));
  ASSERT_TRUE(task.ok());
  auto part = outcome(**task);
  ASSERT_FALSE(part.ok());
  EXPECT_NE(part.error().what.find(scratch.path() + "/file"), std::string::npos) << part.error().what;
}

}  // namespace
}  // namespace dsm::agent
