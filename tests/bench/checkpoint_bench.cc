// SPDX-License-Identifier: Apache-2.0
// What the checkpoint store reaches on a disk, beside the disk itself in the same run, as one JSON object:
//   write_bytes_s, restore_bytes_s          pages of a memfd into a durable part of a generation, and back into an empty memfd
//   raw_write_bytes_s, raw_read_bytes_s     as many bytes by O_DIRECT from and to one buffer, the write with fdatasync
//
//   checkpoint_bench FOLDER [MIB]
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <random>

#include "libdsm/agent/checkpoint_loader.h"
#include "libdsm/agent/checkpoint_writer.h"

namespace dsm::bench {
namespace {

constexpr size_t kChunk = 1u << 20;
constexpr const char* kJob = "bench";

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "checkpoint_bench: %s\n", what.c_str());
  std::exit(1);
}

double now_s() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// Bytes that do not compress and are not zero, a page at a time.
os::Memfd full_memory(uint64_t bytes) {
  os::Memfd memory = os::Memfd::create("bench", bytes);
  if (!memory.valid()) die("no memfd");
  std::mt19937_64 random(1);
  std::vector<uint64_t> chunk(kChunk / sizeof(uint64_t));
  for (uint64_t at = 0; at < bytes; at += kChunk) {
    for (uint64_t& word : chunk) word = random();
    if (memory.write(at, std::as_bytes(std::span(chunk))) != 0) die("cannot fill the memfd");
  }
  return memory;
}

double raw(const std::string& path, uint64_t bytes, bool write) {
  os::Fd fd(::open(path.c_str(), (write ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY) | O_DIRECT | O_CLOEXEC, 0600));
  if (!fd) die("cannot open " + path + " with O_DIRECT");
  auto* buffer = static_cast<std::byte*>(std::aligned_alloc(4096, kChunk));
  std::fill_n(buffer, kChunk, std::byte{0x5a});
  const double begin = now_s();
  for (uint64_t at = 0; at < bytes; at += kChunk) {
    const ssize_t n = write ? ::pwrite(fd.get(), buffer, kChunk, static_cast<off_t>(at)) : ::pread(fd.get(), buffer, kChunk, static_cast<off_t>(at));
    if (n != static_cast<ssize_t>(kChunk)) die("a raw transfer failed");
  }
  if (write && ::fdatasync(fd.get()) != 0) die("fdatasync failed");
  const double seconds = now_s() - begin;
  std::free(buffer);
  return static_cast<double>(bytes) / seconds;
}

double write_part(const std::string& folder, const os::Memfd& memory, uint64_t bytes) {
  agent::CutPlan plan;
  for (uint64_t number = 0; number < bytes / ckpt::kBlockBytes; ++number) plan.push_back({number, ~uint64_t{0}});
  const double begin = now_s();
  auto writer = ckpt::GenerationWriter::begin(folder, {kJob, "", 1, 1, kOrigin, 1}, {});
  if (!writer.ok()) die(writer.error().what);
  if (auto written = agent::write_pages(plan, memory, **writer); !written.ok()) die(written.error().what);
  auto part = (*writer)->finish();
  if (!part.ok()) die(part.error().what);
  return static_cast<double>(bytes) / (now_s() - begin);
}

double restore_part(const std::string& folder, uint64_t bytes) {
  os::Memfd memory = os::Memfd::create("restored", bytes);
  const double begin = now_s();
  auto part = ckpt::GenerationReader::open(folder, kJob, kOrigin, 1, {});
  if (!part.ok()) die(part.error().what);
  std::vector<std::unique_ptr<ckpt::GenerationReader>> parts;
  parts.push_back(std::move(part).value());
  auto loaded = agent::load_memory(parts, memory);
  if (!loaded.ok()) die(loaded.error().what);
  if (loaded->pages != bytes / kPageBytes) die("not all pages came back");
  return static_cast<double>(bytes) / (now_s() - begin);
}

int run(const std::string& folder, uint64_t bytes) {
  const std::string scratch = folder + "/checkpoint-bench." + std::to_string(::getpid()), file = scratch + "/raw";
  std::filesystem::create_directories(scratch);
  const os::Memfd memory = full_memory(bytes);
  const double raw_write = raw(file, bytes, true), written = write_part(scratch, memory, bytes);
  const double raw_read = raw(file, bytes, false), restored = restore_part(scratch, bytes);
  std::filesystem::remove_all(scratch);
  std::printf("{\"write_bytes_s\":%.0f,\"raw_write_bytes_s\":%.0f,\"restore_bytes_s\":%.0f,\"raw_read_bytes_s\":%.0f}\n", written, raw_write, restored, raw_read);
  return 0;
}

}  // namespace
}  // namespace dsm::bench

int main(int argc, char** argv) {
  const long mib = argc == 3 ? std::atol(argv[2]) : 512;
  if (argc < 2 || argc > 3 || mib <= 0) return std::fprintf(stderr, "usage: checkpoint_bench FOLDER [MIB]\n"), 2;
  return dsm::bench::run(argv[1], static_cast<uint64_t>(mib) << 20);
}
