// SPDX-License-Identifier: Apache-2.0
#include "pagedir/mutation.h"

namespace dsm {

const char* to_string(Mutation m) {
  switch (m) {
    case Mutation::kNone: return "none";
    case Mutation::kSkipInvalidation: return "skip-invalidation";
    case Mutation::kAckBeforeZap: return "ack-before-zap";
    case Mutation::kLostWaiter: return "lost-waiter";
    case Mutation::kUncheckedUpgrade: return "unchecked-upgrade";
    case Mutation::kEndlessLease: return "endless-lease";
    case Mutation::kForgottenDone: return "forgotten-done";
    case Mutation::kEarlyRelease: return "early-release";
    case Mutation::kExtentTwice: return "extent-twice";
    case Mutation::kFollowerNotWoken: return "follower-not-woken";
    case Mutation::kDropIgnoresInFlight: return "drop-ignores-in-flight";
    case Mutation::kOpenWithoutRegistration: return "open-without-registration";
    case Mutation::kReadKeepsOwnerWritable: return "read-keeps-owner-writable";
    case Mutation::kEvictDropsLastCopy: return "evict-drops-last-copy";
    case Mutation::kVersionNotRaised: return "version-not-raised";
    case Mutation::kStaleSentRestored: return "stale-sent-restored";
    case Mutation::kGrantBeforeAcks: return "grant-before-acks";
  }
  return "?";
}

}  // namespace dsm
