// SPDX-License-Identifier: Apache-2.0
// What stands before each message on a TCP connection, and nothing else.
#pragma once
#include <cstddef>
#include <cstdint>

#include "libdsm/base/ids.h"

namespace dsm::transport {

// Little-endian. header_bytes bytes of header follow, then payload_bytes bytes of payload.
struct FrameHead {
  uint32_t header_bytes;   // 1 .. FrameLimits::header_bytes
  uint32_t payload_bytes;  // 0 on a message connection; 0 .. FrameLimits::payload_bytes on a data connection
};
static_assert(sizeof(FrameHead) == 8 && offsetof(FrameHead, payload_bytes) == 4);

// Bounds what a peer can make us hold.
struct FrameLimits {
  uint32_t header_bytes = 1024;
  uint32_t payload_bytes = kPagesPerBlock * kPageBytes;
};

// Payloads up to this size are handed out from the receive buffer.
inline constexpr uint64_t kStagedPayloadBytes = kPageBytes;

}  // namespace dsm::transport
