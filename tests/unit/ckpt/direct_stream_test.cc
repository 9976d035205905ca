// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/direct_stream.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/harness/ckpt_sample.h"

namespace dsm::os {
namespace {

using ckpt::sample::random_bytes;
using ckpt::sample::Scratch;

TEST(DirectStream, AnyPiecesComeBackFromAnywhere) {
  Scratch scratch;
  auto folder = Folder::open(scratch.path());
  ASSERT_TRUE(folder.ok());
  const auto bytes = random_bytes((11u << 20) + 12345, 7, false);
  auto writer = DirectWriter::create(*folder, "file");
  ASSERT_TRUE(writer.ok());
  std::mt19937_64 random(1);
  for (size_t at = 0; at < bytes.size();) {
    EXPECT_EQ((*writer)->offset(), at);
    const size_t piece = std::min<size_t>(bytes.size() - at, random() % (random() % 5 ? 70000 : 3u << 20));
    ASSERT_TRUE((*writer)->append(std::span(bytes).subspan(at, piece)).ok());
    at += piece;
  }
  auto length = (*writer)->finish();
  ASSERT_TRUE(length.ok());
  EXPECT_EQ(*length, (bytes.size() + 4095) / 4096 * 4096);

  auto reader = DirectReader::open(*folder, "file");
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->bytes(), *length);
  std::vector<std::byte> into;
  uint64_t at = 0;
  for (int n = 0; n < 300; ++n) {
    if (n % 3 == 0 || at >= bytes.size()) at = random() % bytes.size();
    into.resize(std::min<size_t>(bytes.size() - at, random() % (3u << 20)));
    ASSERT_TRUE((*reader)->read(at, into).ok());
    ASSERT_TRUE(std::equal(into.begin(), into.end(), bytes.begin() + static_cast<ptrdiff_t>(at))) << "at " << at << ", " << into.size();
    at += into.size();
  }
}

TEST(DirectStream, NothingBehindTheEnd) {
  Scratch scratch;
  auto folder = Folder::open(scratch.path());
  ASSERT_TRUE(folder.ok());
  ASSERT_TRUE(folder->write_file("odd", random_bytes(5001, 1, false)).ok());  // no multiple of a disk block
  auto reader = DirectReader::open(*folder, "odd");
  ASSERT_TRUE(reader.ok());
  std::vector<std::byte> into(1);
  EXPECT_TRUE((*reader)->read(5000, into).ok());
  EXPECT_FALSE((*reader)->read(5001, into).ok());
  EXPECT_FALSE((*reader)->read(UINT64_MAX, into).ok());
  EXPECT_FALSE(DirectReader::open(*folder, ".").ok());
  EXPECT_FALSE(DirectReader::open(*folder, "none").ok());
}

TEST(Folder, WholeFilesOrNone) {
  Scratch scratch;
  auto folder = Folder::create(scratch.path() + "/a/b/c");
  ASSERT_TRUE(folder.ok());
  ASSERT_TRUE(folder->write_file("x", random_bytes(100, 1, false)).ok());
  EXPECT_EQ(folder->list().value(), std::vector<std::string>{"x"});
  EXPECT_EQ(folder->read_file("x", 99).error().code, EFBIG);
  EXPECT_EQ(folder->read_file("x", 100).value().size(), 100u);
  EXPECT_NE(folder->read_file("y", 100).error().what.find("/a/b/c/y"), std::string::npos);
  auto blocked = Folder::create(scratch.path() + "/a/b/c/x/d");
  ASSERT_FALSE(blocked.ok());
  EXPECT_EQ(blocked.error().code, ENOTDIR);
}

}  // namespace
}  // namespace dsm::os
