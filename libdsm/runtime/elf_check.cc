// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/elf_check.h"

namespace dsm::runtime {
namespace {

// An image that may lie anywhere must fit between the place where the kernel puts such programs and the runtime.
constexpr uint64_t kMaxMovableBytes = uint64_t{128} << 30;
constexpr uint64_t kMaxAlignment = uint64_t{1} << 30;  // what asks for more is not aligned, as nothing can rely on it
constexpr uint64_t kPageMask = abi::kPageSize - 1;

const char* check_segment(const Elf64_Phdr& segment) {
  if (segment.p_filesz > segment.p_memsz) return "has a segment with more bytes in the file than in memory";
  if (segment.p_vaddr > abi::kUserEnd || segment.p_memsz > abi::kUserEnd - segment.p_vaddr)
    return "has a segment outside the address space";
  if (segment.p_filesz != 0 && (segment.p_vaddr & kPageMask) != (segment.p_offset & kPageMask))
    return "has a segment that cannot be mapped from the file";
  if (segment.p_offset > INT64_MAX - segment.p_filesz) return "has a segment beyond any file";
  return nullptr;
}

}  // namespace

const char* check_segments(const Elf64_Ehdr& header, const Elf64_Phdr* segment, ImageExtent* extent) {
  *extent = {~uint64_t{0}, 0, abi::kPageSize};
  for (unsigned i = 0; i < header.e_phnum; i++) {
    if (segment[i].p_type != PT_LOAD) continue;
    if (const char* reason = check_segment(segment[i])) return reason;
    const uint64_t start = page_down(segment[i].p_vaddr), end = page_up(segment[i].p_vaddr + segment[i].p_memsz);
    if (start < extent->low) extent->low = start;
    if (end > extent->high) extent->high = end;
    const uint64_t align = segment[i].p_align;
    if (align > extent->align && align <= kMaxAlignment && (align & (align - 1)) == 0) extent->align = align;
  }
  if (extent->low >= extent->high) return "has no loadable segment";
  if (header.e_type != ET_EXEC) {
    if (header.e_entry - extent->low > kMaxMovableBytes) return "has an entry point outside the address space";
    return extent->high - extent->low > kMaxMovableBytes ? "is too large" : nullptr;
  }
  if (header.e_entry >= abi::kUserEnd) return "has an entry point outside the address space";
  if (extent->low < abi::kUserBegin) return "wants addresses that this system does not give to programs";
  if (extent->low < abi::kRuntimeEnd && extent->high > abi::kRuntimeBegin) return "wants addresses that dsm needs for itself";
  return nullptr;
}

}  // namespace dsm::runtime
