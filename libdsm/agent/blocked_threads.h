// SPDX-License-Identifier: Apache-2.0
// BlockedThreads: remembers who faulted lately, so that a page kept for a thread that blocks, exits or moves away is given
// up early. Pure but for the board. Owner-thread only.
#pragma once
#include <array>

#include "libdsm/base/ids.h"

namespace dsm::agent {

class BlockedThreads {
 public:
  void faulted(ThreadId thread) {
    for (const ThreadId& known : recent_)
      if (known == thread) return;
    recent_[next_++ % recent_.size()] = thread;
  }

  // Calls report(thread) once for each thread that faulted and of which running(thread) is false now.
  template <class Running, class Report>
  void check(Running running, Report report) {
    for (ThreadId& thread : recent_) {
      if (thread == ThreadId{} || running(thread)) continue;
      ThreadId blocked = thread;
      thread = ThreadId{};
      report(blocked);
    }
  }

 private:
  std::array<ThreadId, 16> recent_{};
  size_t next_ = 0;
};

}  // namespace dsm::agent
