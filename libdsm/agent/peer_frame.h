// SPDX-License-Identifier: Apache-2.0
// What agents say to each other: one byte of kind, then the body. Values are never reused.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "libdsm/wire/codec.h"

namespace dsm::agent {

enum class FrameKind : uint8_t {
  kProtocol = 1,   // body: wire::encode()
  kHeartbeat = 2,  // no body
  kGoodbye = 3,    // no body: the sender was told to shut down, its end is no loss
  kCpuQuestion = 4,  // body: CpuQuestion
  kCpuAnswer = 5,    // body: CpuAnswer
  kMeshComplete = 6, // no body; to node 0, once: the sender is connected to everybody
  kRoom = 7,         // body: Room
};

// Greeting of a byte stream between two nodes.
enum class ChannelKind : uint8_t {
  kRuntime = 1,  // between the application's runtime and a vessel's
};

struct CpuQuestion {
  uint64_t round;
};
struct CpuAnswer {
  uint64_t round, cpu_ns;   // CPU time that this node's vessel has used
};
struct Room {
  uint64_t bytes;   // of pages that the sender can take in (memory budgets)
};

template <class Body>
std::array<std::byte, 1 + sizeof(Body)> make_frame(FrameKind kind, const Body& body) {
  std::array<std::byte, 1 + sizeof(Body)> frame;
  frame[0] = static_cast<std::byte>(kind);
  std::memcpy(frame.data() + 1, &body, sizeof body);
  return frame;
}

// The body of a frame of this kind; nothing if its length is another one.
template <class Body>
std::optional<Body> body_of(std::span<const std::byte> frame) {
  Body body;
  if (frame.size() != 1 + sizeof body) return std::nullopt;
  std::memcpy(&body, frame.data() + 1, sizeof body);
  return body;
}

using FrameBuffer = std::array<std::byte, 1 + wire::kMaxHeaderBytes>;

inline std::span<const std::byte> make_protocol_frame(const wire::Envelope& envelope, FrameBuffer& buffer) {
  buffer[0] = static_cast<std::byte>(FrameKind::kProtocol);
  size_t size = wire::encode(envelope, std::span(buffer).subspan(1));
  return std::span(buffer).first(1 + size);
}

}  // namespace dsm::agent
