// SPDX-License-Identifier: Apache-2.0
// /proc/self/maps, as far as start-up and fork need it. The visitor must not map or unmap: it is called while the file
// is read.
#pragma once
#include <stdint.h>

namespace dsm::runtime {

struct KernelMapping {
  uint64_t start, end;
  char name[64];   // "[vdso]", a path (cut), or empty
};

constexpr unsigned kMaxKernelMappings = 1024;

// Reads at most `capacity` mappings and returns how many there are. Ends the process when they are more.
unsigned read_kernel_mappings(KernelMapping* mapping, unsigned capacity);

}  // namespace dsm::runtime
