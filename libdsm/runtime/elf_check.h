// SPDX-License-Identifier: Apache-2.0
// Whether the program headers of an ELF file can be loaded at all. Pure: looks at nothing but the headers, so that execve can
// still fail because of them, and so that it can be tested by itself.
#pragma once
#include <linux/elf.h>

#include "libdsm/runtime/runtime_layout.h"

namespace dsm::runtime {

// The span of the loadable segments, whole pages.
struct ImageExtent {
  uint64_t low, high, align;
};

// nullptr and the extent, or one phrase for people. Afterwards: no segment wraps around or leaves user addresses, none has
// more bytes in the file than in memory, file and memory agree about the place inside a page, an image at fixed
// addresses keeps clear of the runtime's own, and the entry point is an address at all.
const char* check_segments(const Elf64_Ehdr& header, const Elf64_Phdr* segment, ImageExtent* extent);

}  // namespace dsm::runtime
