// SPDX-License-Identifier: Apache-2.0
// The first bytes of a dialer, and what a node compares them with. They travel in the clear; the Authenticator then binds
// them, so that nobody can change them on the way.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "libdsm/base/ids.h"

namespace dsm::transport {

enum class Purpose : uint8_t { kMessages = 1, kData = 2, kChannel = 3 };

// What the connection is protected by. Both ends must want the same.
enum class Protection : uint8_t {
  kChallenge = 0,  // both ends prove that they know the secret; the bytes behind that are plain
  kTls = 1,        // TLS 1.3 with a key that is derived from the secret
};

// On the wire, little-endian.
struct LinkHello {
  uint32_t magic;
  uint16_t version;
  uint8_t purpose;     // Purpose
  uint8_t protection;  // Protection
  uint16_t source;     // node ids
  uint16_t destination;
  uint32_t epoch;      // of the job's membership
  uint64_t job;        // job_tag()
};
static_assert(sizeof(LinkHello) == 24 && offsetof(LinkHello, epoch) == 12 && offsetof(LinkHello, job) == 16);
inline constexpr uint32_t kLinkMagic = 0x4d534430;  // "0DSM"
inline constexpr uint16_t kLinkVersion = 2;
inline constexpr size_t kMaxGreetingBytes = 4096;

// A job's name as a number. Not secret and not unique for certain: it only makes the refusal say what is wrong.
uint64_t job_tag(std::string_view job);

// What this node is part of.
struct Membership {
  NodeId self;
  uint16_t nodes = kMaxNodes;
  uint64_t job = 0;
  uint32_t epoch = 0;
  Protection protection{};

  LinkHello hello_to(NodeId peer, Purpose purpose) const;
  // Empty, or why a caller with this hello is turned away, as "it ...".
  std::string objection_to(const LinkHello& hello) const;
};

}  // namespace dsm::transport
