// SPDX-License-Identifier: Apache-2.0
// What tells one kernel's vdso from another's: a program keeps addresses inside it. Any context.
#pragma once
#include <stdint.h>

namespace dsm::runtime {

// Of the vdso at process().vdso_address; 0 if the kernel has none.
uint64_t vdso_digest();

}  // namespace dsm::runtime
