// SPDX-License-Identifier: Apache-2.0
// FirstTouch: which fresh memory of the program is filled before it is touched. A kernel fault a page of shared memory takes
// 2.4 us, a page of a run that is allocated and mapped at once 1.2. So a large fresh range gets one *guard*: a page a little
// behind its beginning, write-protected. A program that writes the range in order runs into the guard; then a run behind it
// is filled, the guard moves to the end of the run, and the next run is longer. Pure; owner-thread only.
//
// Guards are hints. A guard that nobody hits costs nothing, one that is hit for another reason costs one fault or one run of
// zero pages, and one that is forgotten here while the kernel still has its mark is an ordinary write-protect fault.
//
// Invariant: at most one guard for each range that was added.
#pragma once
#include <map>
#include <optional>

#include "libdsm/base/ids.h"

namespace dsm::agent {

class FirstTouch {
 public:
  // Smaller ranges are not worth a guard: the fault at it costs as much as some twenty touches.
  static constexpr uint64_t kMinRangePages = 256;
  // The pages in front of a guard that must have content before its hit counts as a stream; the first guard stands behind them.
  static constexpr uint64_t kProofPages = 16;
  // The longest run. The hit of a guard costs up to 50 us for each of two threads to wake, spread over the run; filling it
  // takes 0.3 ms, for which the agent serves nobody else.
  static constexpr uint64_t kMaxRunPages = 256;

  // The range is fresh memory that the program may write. Returns the page to guard, if any.
  std::optional<PageNo> added(PageRange fresh);
  // The range went away, or is not what it was.
  void forget(PageRange range);
  void clear() { guards_.clear(); }

  bool is_guard(PageNo page) const { return guards_.contains(page); }
  // A guard was written, and is one no longer. Returns how many pages behind it to fill if the `kProofPages` before it have
  // content.
  uint64_t take(PageNo guard);
  // The whole run behind a guard was filled and the range goes on: returns the page to guard next.
  PageNo filled(PageNo guard, uint64_t count);

 private:
  std::map<PageNo, uint64_t> guards_;  // the length of the run that a hit fills
};

}  // namespace dsm::agent
