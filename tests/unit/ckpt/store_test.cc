// SPDX-License-Identifier: Apache-2.0
// The store as agents and tools use it: what is written is read, generations share blocks, prune removes what nobody needs.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "libdsm/ckpt/prune.h"
#include "libdsm/ckpt/store_names.h"
#include "tests/harness/ckpt_sample.h"

namespace dsm::ckpt {
namespace {

namespace fs = std::filesystem;
using namespace sample;

void write_or_fail(const std::string& root, uint64_t generation) {
  const auto written = write_generation(root, generation);
  ASSERT_TRUE(written.ok()) << written.error().what;
}

std::string said(const Status& status) { return status.ok() ? "" : status.error().what; }

void expect_truth(NewestGeneration& newest, uint64_t generation) {
  EXPECT_EQ(newest.state.generation, generation);
  ASSERT_EQ(newest.state.parts.size(), kNodes);
  for (uint16_t n = 0; n < kNodes; ++n) {
    auto part = read_part(*newest.state.parts[n]);
    ASSERT_TRUE(part.ok()) << part.error().what;
    EXPECT_TRUE(*part == truth_of(generation, NodeId{n})) << "node " << n;
  }
}

TEST(CheckpointStore, WhatWasWrittenIsRead) {
  Scratch scratch;
  for (uint64_t g = 1; g <= 4; ++g) {  // 1 and 3 raw, 2 and 4 compressed, each with blocks of those before
    write_or_fail(scratch.path(), g);
    auto newest = open_newest({scratch.path()}, kJob, Check::kData);
    ASSERT_TRUE(newest.ok()) << newest.error().what;
    expect_truth(*newest, g);
    EXPECT_TRUE(newest->findings.empty());
    EXPECT_EQ(newest->state.holders.size(), 2u);
    EXPECT_GE(newest->state.parts[1]->manifest().files.size(), std::min<uint64_t>(g, 2));
  }
}

TEST(CheckpointStore, AGenerationCountsOnlyWhenCommitted) {
  Scratch scratch;
  write_or_fail(scratch.path(), 1);
  ASSERT_TRUE(write_part(scratch.path(), 2, NodeId{0}, {}).ok());
  ASSERT_TRUE(write_part(scratch.path(), 2, NodeId{1}, {}).ok());
  auto newest = open_newest({scratch.path()}, kJob, Check::kData);
  ASSERT_TRUE(newest.ok());
  EXPECT_EQ(newest->state.generation, 1u);
  ASSERT_EQ(newest->findings.size(), 1u);
  EXPECT_EQ(newest->findings[0], "generation 2 was not committed");
}

TEST(CheckpointStore, AnotherAttemptAtThePartIsNotTheCommittedOne) {
  Scratch scratch;
  write_or_fail(scratch.path(), 1);
  write_or_fail(scratch.path(), 2);
  fs::copy(scratch.path(), scratch.path() + ".other", fs::copy_options::recursive);
  Scratch other;
  for (const auto& entry : fs::directory_iterator(scratch.path() + ".other")) fs::copy(entry, other.path() + "/" + entry.path().filename().string(), fs::copy_options::recursive);
  fs::remove_all(scratch.path() + ".other");
  for (uint16_t n = 0; n < kNodes; ++n) fs::remove(other.path() + "/4711/" + commit_name(2, NodeId{n}));
  ASSERT_TRUE(write_part(other.path(), 2, NodeId{1}, {.zstd_level = 5, .epoch = 1}).ok());
  fs::copy(other.path() + "/4711/node-1", scratch.path() + "/4711/node-1", fs::copy_options::overwrite_existing | fs::copy_options::recursive);
  auto newest = open_newest({scratch.path()}, kJob, Check::kManifests);
  ASSERT_TRUE(newest.ok()) << newest.error().what;
  EXPECT_EQ(newest->state.generation, 1u);
  EXPECT_NE(newest->findings.at(0).find("gen-2.manifest is not the one that was committed"), std::string::npos) << newest->findings[0];
}

TEST(CheckpointStore, PartsMayLieOnSeveralDisks) {
  Scratch one, two;
  write_or_fail(one.path(), 1);
  fs::create_directories(two.path() + "/4711");
  fs::rename(one.path() + "/4711/node-1", two.path() + "/4711/node-1");
  fs::rename(one.path() + "/4711/" + commit_name(1, NodeId{1}), two.path() + "/4711/" + commit_name(1, NodeId{1}));
  auto newest = open_newest({one.path(), two.path()}, kJob, Check::kData);
  ASSERT_TRUE(newest.ok()) << newest.error().what;
  expect_truth(*newest, 1);
  EXPECT_TRUE(newest->findings.empty());
  auto half = open_newest({one.path()}, kJob, Check::kData);
  ASSERT_FALSE(half.ok());
  EXPECT_NE(half.error().what.find("node-1"), std::string::npos) << half.error().what;
}

TEST(CheckpointStore, ACommittedGenerationIsNotWrittenAgain) {
  Scratch scratch;
  write_or_fail(scratch.path(), 1);
  auto again = write_part(scratch.path(), 1, NodeId{0}, {});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, EEXIST);
  auto newest = open_newest({scratch.path()}, kJob, Check::kData);
  ASSERT_TRUE(newest.ok());
  expect_truth(*newest, 1);
}

TEST(CheckpointStore, OneWriterAFolder) {
  Scratch scratch;
  const PartIdentity part{kJob, "/bin/x", 1, 1, NodeId{0}, 1};
  auto first = GenerationWriter::begin(scratch.path(), part, {});
  ASSERT_TRUE(first.ok());
  auto second = GenerationWriter::begin(scratch.path(), part, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, EWOULDBLOCK);
}

TEST(CheckpointStore, AbandonedLeavesNothing) {
  Scratch scratch;
  {
    auto writer = GenerationWriter::begin(scratch.path(), {kJob, "", 1, 1, NodeId{0}, 1}, {});
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE((*writer)->add_pages(1, 1, random_bytes(kPageBytes, 1, false)).ok());
    (*writer)->abandon();
    EXPECT_FALSE((*writer)->add_pages(2, 1, random_bytes(kPageBytes, 1, false)).ok());
    EXPECT_FALSE((*writer)->finish().ok());
  }
  EXPECT_TRUE(fs::is_empty(scratch.path() + "/4711/node-0"));
}

TEST(CheckpointStore, AnAttemptAfterAnUnfinishedOneReplacesIt) {
  Scratch scratch;
  ASSERT_TRUE(write_part(scratch.path(), 1, NodeId{0}, {.epoch = 1}).ok());
  std::ofstream(scratch.path() + "/4711/node-0/gen-1.data.tmp") << "half";
  std::ofstream(scratch.path() + "/4711/node-0/gen-1.manifest.tmp") << "half";
  auto second = write_part(scratch.path(), 1, NodeId{0}, {.epoch = 2});
  ASSERT_TRUE(second.ok());
  auto reader = GenerationReader::open(scratch.path(), kJob, NodeId{0}, 1, second->entry);
  ASSERT_TRUE(reader.ok()) << reader.error().what;
  EXPECT_EQ((*reader)->manifest().identity.epoch, 2u);
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch.path() + "/4711/node-0"), {}), 2);
}

TEST(CheckpointStore, PagesTwiceOrOutsideAreRefused) {
  for (const uint64_t number : {uint64_t{3}, kAddressSpaceBlocks}) {
    Scratch scratch;
    auto writer = GenerationWriter::begin(scratch.path(), {kJob, "", 1, 1, NodeId{0}, 1}, {});
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE((*writer)->add_pages(3, 3, random_bytes(2 * kPageBytes, 1, false)).ok());
    EXPECT_TRUE((*writer)->add_pages(number, 2, random_bytes(kPageBytes, 1, false)).ok());
    auto part = (*writer)->finish();
    ASSERT_FALSE(part.ok());
    EXPECT_EQ(part.error().code, EINVAL);
    EXPECT_TRUE(fs::is_empty(scratch.path() + "/4711/node-0"));
  }
}

TEST(CheckpointStore, PruneKeepsWhatKeptGenerationsName) {
  Scratch scratch;
  for (uint64_t g = 1; g <= 5; ++g) write_or_fail(scratch.path(), g);
  ASSERT_TRUE(write_part(scratch.path(), 6, NodeId{0}, {}).ok());  // being written
  auto pruned = prune_job(scratch.path(), kJob, kKeptGenerations);
  ASSERT_TRUE(pruned.ok()) << pruned.error().what;
  EXPECT_GT(pruned->bytes, 0u);
  auto states = inspect_job({scratch.path()}, kJob);
  ASSERT_TRUE(states.ok());
  ASSERT_EQ(states->size(), 3u);
  EXPECT_EQ((*states)[0].generation, 6u);
  for (size_t n : {1, 2}) EXPECT_TRUE((*states)[n].verify());
  EXPECT_TRUE(fs::exists(scratch.path() + "/4711/node-0/gen-1.data"));  // 5 still has pages of 1
  EXPECT_FALSE(fs::exists(scratch.path() + "/4711/node-0/gen-3.manifest"));
  EXPECT_FALSE(fs::exists(scratch.path() + "/4711/" + commit_name(3, NodeId{0})));
  EXPECT_TRUE(fs::exists(scratch.path() + "/4711/node-0/gen-6.manifest"));
  auto newest = open_newest({scratch.path()}, kJob, Check::kData);
  ASSERT_TRUE(newest.ok());
  expect_truth(*newest, 5);
  auto again = prune_job(scratch.path(), kJob, kKeptGenerations);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->removed.empty());
}

TEST(CheckpointStore, AttemptsThatWereGivenUpGoToo) {
  Scratch scratch;
  write_or_fail(scratch.path(), 1);
  ASSERT_TRUE(write_part(scratch.path(), 2, NodeId{0}, {}).ok());  // never committed
  write_or_fail(scratch.path(), 3);
  auto pruned = prune_job(scratch.path(), kJob, 2);
  ASSERT_TRUE(pruned.ok()) << pruned.error().what;
  EXPECT_FALSE(fs::exists(scratch.path() + "/4711/node-0/gen-2.manifest"));
  auto states = inspect_job({scratch.path()}, kJob);
  ASSERT_TRUE(states.ok());
  ASSERT_EQ(states->size(), 2u);
  for (auto& state : *states) EXPECT_TRUE(state.verify()) << state.generation;
}

TEST(CheckpointStore, PruneRemovesNothingWhenTooLittleIsGood) {
  Scratch scratch;
  for (uint64_t g = 1; g <= 2; ++g) write_or_fail(scratch.path(), g);
  fs::remove(scratch.path() + "/4711/node-1/gen-2.manifest");
  auto pruned = prune_job(scratch.path(), kJob, 2);
  ASSERT_FALSE(pruned.ok());
  EXPECT_NE(pruned.error().what.find("has 1 generations that can be used"), std::string::npos) << pruned.error().what;
  EXPECT_TRUE(fs::exists(scratch.path() + "/4711/node-0/gen-2.manifest"));
}

TEST(CheckpointStore, LargeSectionsAndTheirLimit) {
  Scratch scratch;
  auto writer = GenerationWriter::begin(scratch.path(), {kJob, "", 1, 1, NodeId{0}, 1}, {.zstd_level = 1});
  ASSERT_TRUE(writer.ok());
  const auto bytes = random_bytes(9 * kBlockBytes + 1, 3, true);
  EXPECT_EQ(said((*writer)->add_section("process", bytes)), "");
  auto part = (*writer)->finish();
  ASSERT_TRUE(part.ok());
  auto reader = GenerationReader::open(scratch.path(), kJob, NodeId{0}, 1, part->entry);
  ASSERT_TRUE(reader.ok());
  auto read = (*reader)->section("process", bytes.size());
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(*read == bytes);
  EXPECT_EQ((*reader)->section("process", bytes.size() - 1).error().code, EFBIG);
  EXPECT_EQ((*reader)->section("other", 1).error().code, ENOENT);
  EXPECT_LT(fs::file_size(scratch.path() + "/4711/node-0/gen-1.data"), bytes.size() / 2);
}

TEST(CheckpointStore, Names) {
  EXPECT_EQ(part_of("gen-12.data")->generation, 12u);
  EXPECT_TRUE(part_of("gen-12.manifest.tmp")->temporary);
  EXPECT_EQ(commit_of("commit-3.by-255")->holder.value, 255);
  for (const char* name : {"gen-0.data", "gen-01.data", "gen-1.dat", "gen-.data", "gen-1.data.tmp.tmp", "gen--1.data", "gen-99999999999999999999.data", "gen-+1.data"}) EXPECT_FALSE(part_of(name)) << name;
  for (const char* name : {"commit-1.by-256", "commit-1.by-", "commit-0.by-1", "commit-1.by-1 "}) EXPECT_FALSE(commit_of(name)) << name;
  EXPECT_FALSE(node_of("node-256"));
  for (const char* name : {"", ".", "..", "a/b", "a b"}) EXPECT_FALSE(is_job_name(name)) << name;
}

}  // namespace
}  // namespace dsm::ckpt
