// SPDX-License-Identifier: Apache-2.0
// Envelopes to bytes and back. The byte form is little-endian with a fixed layout for each message; it is given by
// wire_format.h. decode() proves only that the bytes are well formed (enumerators known, node ids below kMaxNodes, runs
// inside one block, counts in their bounds); whether a message makes sense now is for its receiver to decide.
#pragma once
#include <cstddef>
#include <span>

#include "libdsm/base/result.h"
#include "libdsm/wire/messages.h"

namespace dsm::wire {

// No encoded header is longer.
inline constexpr size_t kMaxHeaderBytes = 512;

// Bytes written. `out` must have kMaxHeaderBytes. The message must be one that decode() takes.
size_t encode(const Envelope&, std::span<std::byte> out);
// The same for any field values: how tests play a hostile peer.
size_t encode_unchecked(const Envelope&, std::span<std::byte> out);
// The bytes must be exactly one header; the payload is not part of it.
Result<Envelope> decode(std::span<const std::byte>);

}  // namespace dsm::wire
