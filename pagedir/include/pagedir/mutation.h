// SPDX-License-Identifier: Apache-2.0
// Seeded protocol bugs. The mutation test switches one on and proves that simulator or exploration notice; production
// configurations keep kNone. Each enumerator is looked at in exactly one place of the code.
#pragma once
#include <cstdint>

namespace dsm {

enum class Mutation : uint8_t {
  kNone = 0,
  kSkipInvalidation,         // shard: one sharer is not told of a write
  kAckBeforeZap,             // cache: the acknowledgement leaves before the mapping does
  kLostWaiter,               // shard: the second waiter of a page is dropped
  kUncheckedUpgrade,         // shard: believes has_copy instead of its own set
  kEndlessLease,             // cache: a deferred request is never taken up again
  kForgottenDone,            // cache: an upgrade without data is not confirmed
  kEarlyRelease,             // shard: the Sent bytes are released when the fetch is sent
  kExtentTwice,              // shard: granted untouched pages stay untouched
  kFollowerNotWoken,         // cache: a thread that joined a fault in flight is not woken
  kDropIgnoresInFlight,      // shard: a range is called quiet while a transaction runs
  kOpenWithoutRegistration,  // cache: a native block is listed but not registered
  kReadKeepsOwnerWritable,   // cache: supplying a reader does not write-protect the owner
  kEvictDropsLastCopy,       // shard: an eviction of the last copy moves it nowhere
  kVersionNotRaised,         // shard: a page that was dropped keeps its old life's holders
  kStaleSentRestored,        // shard: recovery believes every Sent instead of the newest
  kGrantBeforeAcks,          // shard: a writer is told to go on before the sharers have acknowledged
  kLast = kGrantBeforeAcks,
};

const char* to_string(Mutation);

}  // namespace dsm
