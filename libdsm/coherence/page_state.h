// SPDX-License-Identifier: Apache-2.0
// The state of a page at one node. Transients (a request under way, bytes that wait for the last acknowledgement, a
// deferred fetch) are kept beside it, in pending.h and deferred.h.
#pragma once
#include <cstdint>

namespace dsm::coherence {

enum class PageState : uint8_t {
  kInvalid = 0,    // no content, no mapping; may become Shared, Exclusive, Hole
  kShared = 1,     // content, readable; becomes Exclusive by a Grant, Invalid by an Invalidate or Fetch for writing
  kExclusive = 2,  // content, readable and writable; becomes Shared or Invalid when it is fetched
  kHole = 3,       // ours to write, no content yet: the first touch fills it with zeros here
  kNative = 4,     // origin only: in a block that was never opened
};

const char* to_string(PageState);

}  // namespace dsm::coherence
