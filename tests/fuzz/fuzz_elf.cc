// SPDX-License-Identifier: Apache-2.0
// Program headers of an ELF file as anybody can write them: what check_segments() lets pass must be safe to map the way that the
// loader does it. The promise is worked out again here, in numbers that cannot overflow.
#include <algorithm>
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/runtime/elf_check.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace dsm;
using Wide = unsigned __int128;

constexpr unsigned kMaxSegments = 64;

void check_promise(const Elf64_Ehdr& header, const Elf64_Phdr* segment, const runtime::ImageExtent& extent) {
  const Wide page = abi::kPageSize;
  DSM_CHECK(extent.low < extent.high && extent.low % page == 0 && extent.high % page == 0);
  DSM_CHECK(extent.align >= page && (extent.align & (extent.align - 1)) == 0);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr& s = segment[i];
    if (s.p_type != PT_LOAD) continue;
    const Wide start = s.p_vaddr, file_end = start + s.p_filesz, memory_end = start + s.p_memsz;
    DSM_CHECK(file_end <= memory_end && start >= extent.low && memory_end <= extent.high);
    DSM_CHECK(memory_end <= abi::kUserEnd);
    DSM_CHECK(s.p_filesz == 0 || start % page == s.p_offset % page);
    DSM_CHECK(Wide{s.p_offset} + s.p_filesz <= static_cast<Wide>(INT64_MAX));
    if (header.e_type == ET_EXEC) {
      DSM_CHECK(s.p_memsz == 0 || start >= abi::kUserBegin);
      DSM_CHECK(memory_end <= abi::kRuntimeBegin || start >= abi::kRuntimeEnd || s.p_memsz == 0);
    }
  }
  DSM_CHECK(header.e_type != ET_EXEC || header.e_entry < abi::kUserEnd);
  // A movable image fits in front of the runtime wherever it is put.
  if (header.e_type != ET_EXEC) DSM_CHECK(Wide{extent.high} - extent.low + 0x555555554000 <= abi::kRuntimeBegin);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Elf64_Ehdr header;
  Elf64_Phdr segment[kMaxSegments] = {};
  if (size < sizeof header) return 0;
  std::memcpy(&header, data, sizeof header);
  header.e_phnum = static_cast<Elf64_Half>(1 + header.e_phnum % kMaxSegments);  // the loader has looked at that
  std::memcpy(segment, data + sizeof header, std::min(size - sizeof header, header.e_phnum * sizeof(Elf64_Phdr)));
  runtime::ImageExtent extent;
  if (runtime::check_segments(header, segment, &extent) == nullptr) check_promise(header, segment, extent);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (const bool movable : {false, true}) {
    Elf64_Ehdr header{};
    header.e_type = movable ? ET_DYN : ET_EXEC;
    header.e_phnum = 2;  // of three; see above
    const uint64_t base = movable ? 0 : 0x400000;
    const Elf64_Phdr segments[3] = {{PT_LOAD, PF_R | PF_X, 0, base, base, 0x1234, 0x1234, 0x1000},
                                    {PT_LOAD, PF_R | PF_W, 0x2e10, base + 0x3e10, base + 0x3e10, 0x200, 0x900, 0x1000},
                                    {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16}};
    std::string seed(reinterpret_cast<const char*>(&header), sizeof header);
    seed.append(reinterpret_cast<const char*>(segments), sizeof segments);
    seeds.push_back(seed);
  }
  return seeds;
}
