// SPDX-License-Identifier: Apache-2.0
// Relative time limits of calls that sleep. A call that was interrupted and goes on, because nothing happened to the
// program, ends when it would have ended: the limit is turned into a deadline once, and what is left of it is what a repetition
// gets. The kernel does the same with its restart blocks, which end at a handler, and here any interruption is one.
//
// select, pselect6 and ppoll are not here: the kernel itself writes back what is left. Any context of a trap handler or shadow.
#pragma once
#include "libdsm/runtime/dispatch.h"
#include "libdsm/runtime/thread_signals.h"

namespace dsm::runtime {

class TimeLimit {
 public:
  // Reads the limit of the call and starts it, unless thread.signals.again says that it is running.
  explicit TimeLimit(const Call& call);
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

  // The arguments for making the call now: as given the first time, later with what is left.
  void apply(uint64_t arg[6]);

 private:
  enum class Unit : uint8_t { kNone, kMilliseconds, kTimespec };
  Unit unit_ = Unit::kNone;
  uint8_t index_ = 0;
  bool is_running_ = false;
  uint64_t deadline_ns_ = 0;
  int64_t left_[2] = {};   // struct timespec, where the kernel reads it
};

// What is left of the limit of a call that goes on behind a move, in ns: a deadline counts for one host's clock only. 0: none here.
uint64_t time_left_ns(const ThreadSignals& signals);
// On the other node. `left_ns` 0: the deadline stays as it is.
void resume_time_limit(ThreadSignals& signals, uint64_t left_ns);

}  // namespace dsm::runtime
