// SPDX-License-Identifier: Apache-2.0
// FaultSource: where page faults of the program's process come from, and what may be done to its mappings. userfaultfd is
// the first implementation (uffd_source.h); a kernel module is another. The agent's one thread makes all calls, and it
// alone changes mappings, so no call here races with another.
//
// Results are 0 or -errno. A process that is exiting, or a range that it has unmapped meanwhile, is no error: there is
// nothing left to serve, and whoever waited there is woken or gone.
#pragma once
#include <cstdint>
#include <span>

#include "libdsm/base/ids.h"

namespace dsm::fault {

struct FaultEvent {
  PageNo page;
  Access access{};
  ThreadId thread;       // kernel tid in the program's process
  uint64_t address = 0;  // exact
};

// kNative: first touches of holes are filled by the kernel without a word; kTracked: they are events.
enum class Tracking : uint8_t { kNative, kTracked };

class FaultSource {
 public:
  virtual ~FaultSource() = default;

  // Becomes readable when events wait; edge-triggered waiting is served by reading until 0 comes back.
  virtual int fd() const = 0;
  // Never blocks: number of events, 0 if there are none, -errno.
  virtual int read(std::span<FaultEvent> events) = 0;

  // -EINVAL or -ENOMEM, and nothing is tracked: nothing is mapped there, or a part by what cannot be tracked. What is
  // tracked stays so: kNative after kTracked changes nothing.
  virtual int track(uint64_t start, uint64_t length, Tracking tracking) = 0;

  // Maps pages whose content is in the memfd, write-protected for kRead, and wakes whoever waits for them.
  virtual int map(PageNo first, uint64_t count, Access access) = 0;
  // Holes become zero pages, mapped with these rights; wakes.
  virtual int zero_fill(PageNo first, uint64_t count, Access access) = 0;
  // Ahead of need, in memory that kNative tracks: as many holes from `first` on as the kernel has room for become zero
  // pages, mapped writable. Stops in front of content. Returns the number of pages; fewer than `count` is no error.
  virtual uint64_t fill_holes(PageNo first, uint64_t count) = 0;
  virtual int unprotect(PageNo first, uint64_t count) = 0;  // wakes
  virtual int protect(PageNo first, uint64_t count) = 0;
  // The mapping goes. Whether the content goes too is the strategy's business: until the page is mapped again nothing
  // relies on either.
  virtual int zap(PageNo first, uint64_t count) = 0;
  virtual int wake(PageNo first, uint64_t count) = 0;
};

}  // namespace dsm::fault
