// SPDX-License-Identifier: Apache-2.0
// Delegated calls whose pointed-to bytes travel with the message, so that no page moves: small buffers, paths, results.
// Both ends read one table: which argument points to how many bytes, in which direction.
//
// Context: worker (pack, unpack_result) and shadow (unpack, result_bytes). Bytes are packed in argument order, padded to 8.
#pragma once
#include "libdsm/runtime/channel.h"
#include "libdsm/runtime/dispatch.h"

namespace dsm::runtime {

enum class Direction : uint8_t { kNone = 0, kIn = 1, kOut = 2, kInOut = 3 };

// How many bytes argument `index` points to.
enum class Extent : uint8_t {
  kFixed,      // `value`
  kArgument,   // argument `value`, times `scale`
  kString,     // up to and with its 0
};

struct PointerRule {
  uint8_t index;
  Direction direction;
  Extent extent;
  uint8_t scale;
  uint16_t value;
  bool by_result;      // kOut: only as many bytes as the call returned (times `scale`) are written back
};

struct MarshalRule {
  uint16_t number;
  PointerRule pointer[3];
};

// nullptr: the call goes with its pointers.
const MarshalRule* marshal_rule(const Call& call);

// Worker. Packs what goes to the origin into `to` (kMaxInlineBytes) and returns its size; negative: it is too large or not
// readable here, and the call must go with its pointers.
int64_t pack_arguments(const MarshalRule& rule, const Call& call, uint8_t* to);
// Shadow. Lays the buffers out in `room` (kMaxInlineBytes), filled from `from`, and points call.arg at them. False: the message is malformed.
bool unpack_arguments(const MarshalRule& rule, Call& call, const uint8_t* from, size_t bytes, uint8_t* room);
// Shadow, after the call. Packs what goes back; `call.arg` as unpack_arguments left it.
size_t pack_results(const MarshalRule& rule, const Call& call, int64_t result, uint8_t* to);
// Worker. Writes the results to program memory: 0, or the index + 1 of the argument whose memory is not writable here,
// whose bytes are then at *rest (size in *rest_bytes).
int unpack_results(const MarshalRule& rule, const Call& call, int64_t result, const uint8_t* from, size_t bytes,
                   const uint8_t** rest, size_t* rest_bytes);

}  // namespace dsm::runtime
