// SPDX-License-Identifier: Apache-2.0
// Fetch-ahead: recognises that a thread reads (or writes) along, and says which pages to ask for before it gets there.
// Sequential streams ask for runs of 4, 8, ... pages, always one run ahead of the one in use; strided ones for single
// pages. A guess that is wrong costs other nodes a page, so three faults must agree first, and a stream that went in
// stretches before (a thread's share of the rows of a picture) expects the next stretch to be as long.
#pragma once
#include <cstdint>

#include "libdsm/base/ids.h"

namespace dsm::coherence {

struct Ahead {
  uint16_t count = 1;        // pages to ask for at the fault itself
  PageNo next{};             // another request, for nobody yet ...
  uint16_t next_count = 0;   // ... of so many pages; 0: none
};

class Stream {
 public:
  static constexpr uint16_t kFirstRun = 4;
  static constexpr uint16_t kMaxWriteRun = 16;  // taking pages away costs their owner more than sharing them
  static constexpr unsigned kConfirm = 2;       // steps that agree before anything is fetched ahead
  static constexpr unsigned kMaxStride = 256;   // pages
  static constexpr unsigned kStrideAhead = 4;   // steps
  static constexpr unsigned kMaxJump = 1024;    // pages: from the end of one stretch to the next of the same stream

  Stream() = default;
  explicit Stream(PageNo first) : start_(first), last_(first), frontier_(first + 1) {}

  // The page is the stream's next one that was not asked for, or one that was and did not come.
  bool continues_at(PageNo) const;
  // Near enough for a new stretch or a stride of this stream.
  bool near(PageNo) const;
  // The page was asked for ahead, or is the one last touched.
  bool asked_for(PageNo) const;
  // The thread is going through these pages: what it touched last, and what was asked for ahead of it.
  bool covers(PageNo page) const { return sequential() && page >= last_ && page < frontier_; }

  // The thread faulted on a page of the stream and it has to be asked for.
  Ahead on_miss(PageNo, Access, uint16_t max_run);
  // The thread touched a page that was fetched ahead, or is under way.
  Ahead on_ahead(PageNo, Access, uint16_t max_run);
  // A page that was fetched ahead went before anybody touched it: only once the stream is sure again is more asked for.
  void on_waste() {
    steps_ = 0;
    run_ = 1;
  }
  uint64_t state() const;

 private:
  bool sequential() const { return steps_ >= kConfirm && stride_ == 1; }
  void turn(PageNo);
  uint16_t up_to_expected(PageNo from, unsigned count) const;
  Ahead advance(PageNo, Access, uint16_t max_run);
  PageNo start_{};         // of the stretch
  PageNo last_{};          // last touch that we saw
  PageNo frontier_{};      // first page of the stream that was not asked for
  int64_t stride_ = 0;
  uint32_t steps_ = 0;     // that agreed
  uint32_t expected_ = 0;  // pages of the stretch before this one, at least; 0: unknown, or this one is longer
  uint16_t run_ = 1;
};

}  // namespace dsm::coherence
