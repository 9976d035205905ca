// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/checkpoint_loader.h"

#include <bit>
#include <cerrno>
#include <string>
#include <unordered_map>

namespace dsm::agent {
namespace {

Status write_group(uint64_t number, uint64_t pages, ckpt::Bytes bytes, os::Memfd& memory) {
  for (uint64_t left = pages; left != 0;) {
    const auto first = static_cast<unsigned>(std::countr_zero(left));
    const auto count = static_cast<unsigned>(std::countr_one(left >> first));
    const uint64_t address = (number * ckpt::kBlockPages + first) * kPageBytes;
    if (const int error = memory.write(address, bytes.first(count * kPageBytes)))
      return system_error("cannot fill the program's memory at " + std::to_string(address), -error);
    bytes = bytes.subspan(count * kPageBytes);
    left &= count == 64 ? 0 : ~(((uint64_t{1} << count) - 1) << first);
  }
  return success();
}

}  // namespace

Result<LoadedMemory> load_memory(const std::vector<std::unique_ptr<ckpt::GenerationReader>>& parts, os::Memfd& memory) {
  LoadedMemory loaded;
  std::unordered_map<uint64_t, uint64_t> there;
  for (const auto& part : parts) {
    auto read = part->for_each_page([&](uint64_t number, uint64_t pages, ckpt::Bytes bytes) -> Status {
      uint64_t& before = there[number];
      if ((before & pages) != 0) {
        const auto page = number * ckpt::kBlockPages + static_cast<unsigned>(std::countr_zero(before & pages));
        return Error{part->path() + ": page " + std::to_string(page) + " is in two parts of generation " +
                         std::to_string(part->manifest().identity.generation), EBADMSG};
      }
      before |= pages;
      loaded.pages += static_cast<unsigned>(std::popcount(pages));
      return write_group(number, pages, bytes, memory);
    });
    if (!read.ok()) return read.error();
  }
  return loaded;
}

}  // namespace dsm::agent
