// SPDX-License-Identifier: Apache-2.0
// A Fetch or Invalidate that came while the page had to be kept: by the minimum hold, then perhaps by the lease.
#pragma once
#include <variant>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"

namespace dsm::coherence {

struct Deferred {
  enum class Stage : uint8_t {
    kHold,     // the minimum hold runs
    kHoldEnd,  // as kHold, and the page was looked at shortly before its end
    kLease,    // the holder still writes: looked at every sample_ns until the cap
    kSampling  // the digest of this look is awaited
  };
  PageNo page;
  NodeId shard_host;
  std::variant<wire::Fetch, wire::Invalidate> message;
  TimeNs arrived = 0;               // what a lease adds to its wait counts from here
  Stage stage = Stage::kHold;
  Stage sampled_in = Stage::kHold;  // kSampling: the stage before
  TimeNs look_at = 0;               // kHoldEnd: not before; kLease: the next look
  uint64_t digest = 0;              // of the last look
  bool has_digest = false;
  bool by_lease = false;            // kept longer than the minimum hold
};

}  // namespace dsm::coherence
