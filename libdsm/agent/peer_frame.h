// SPDX-License-Identifier: Apache-2.0
// What agents say to each other: one byte of kind, then the body. Values are never reused.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "libdsm/wire/codec.h"

namespace dsm::agent {

enum class FrameKind : uint8_t {
  kProtocol = 1,   // body: wire::encode()
  kHeartbeat = 2,  // no body
  kGoodbye = 3,    // no body: the sender was told to shut down, its end is no loss
};

// Greeting of a byte stream between two nodes.
enum class ChannelKind : uint8_t {
  kRuntime = 1,  // between the application's runtime and a vessel's
};

using FrameBuffer = std::array<std::byte, 1 + wire::kMaxHeaderBytes>;

inline std::span<const std::byte> make_protocol_frame(const wire::Envelope& envelope, FrameBuffer& buffer) {
  buffer[0] = static_cast<std::byte>(FrameKind::kProtocol);
  size_t size = wire::encode(envelope, std::span(buffer).subspan(1));
  return std::span(buffer).first(1 + size);
}

}  // namespace dsm::agent
