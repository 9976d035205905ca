// SPDX-License-Identifier: Apache-2.0
// What the parts of a process image may be at most: whoever writes one stays below, whoever reads one refuses more.
#pragma once
#include <stdint.h>

#include "libdsm/runtime/abi.h"

namespace dsm::image {

inline constexpr uint64_t kMostThreads = abi::kBoardSlots;
inline constexpr uint64_t kMostRanges = 1 << 17;            // the capacity of ProgramMap
inline constexpr uint64_t kMostDescriptors = 1 << 20;
inline constexpr uint64_t kMostRecords = 1 << 20;
inline constexpr uint32_t kMostText = 4096;                 // the end included
inline constexpr uint32_t kMostAuxiliary = 4096;
inline constexpr uint32_t kMostAddress = 128;               // struct sockaddr_storage
inline constexpr int32_t kMostPid = 1 << 22;                // PID_MAX_LIMIT
inline constexpr int32_t kMostTimerId = 1 << 20;
inline constexpr uint32_t kMostFpBytes = 14 << 10;          // register_frame.h's kMaxFpBytes
inline constexpr uint32_t kKnownRangeFlags = 0x1f01;        // program_map.h's RangeFlags but kRangeRuntime

}  // namespace dsm::image
