// SPDX-License-Identifier: Apache-2.0
// Who lives where in the runtime's reserved range [abi::kRuntimeBegin, abi::kRuntimeEnd). Never program memory.
#pragma once
#include "libdsm/runtime/abi.h"

namespace dsm::runtime {

inline constexpr uint64_t kImageBase = abi::kRuntimeBegin;                        // text, data, bss
inline constexpr uint64_t kThreadArea = abi::kRuntimeBegin + (1ull << 36);        // thread blocks, mapped one by one
inline constexpr uint64_t kArenaBegin = abi::kRuntimeBegin + (2ull << 36);        // everything that is mapped later
inline constexpr uint64_t kArenaEnd = abi::kRuntimeBegin + (14ull << 36);

static_assert(kArenaEnd <= abi::kVdsoBase && abi::kVdsoBase < abi::kRuntimeEnd);

inline constexpr uint64_t page_down(uint64_t address) { return address & ~(abi::kPageSize - 1); }
inline constexpr uint64_t page_up(uint64_t address) { return page_down(address + abi::kPageSize - 1); }

inline bool in_runtime_range(uint64_t address) {
  return address >= abi::kRuntimeBegin && address < abi::kRuntimeEnd;
}

}  // namespace dsm::runtime
