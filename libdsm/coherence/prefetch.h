// SPDX-License-Identifier: Apache-2.0
// Fetch-ahead: recognises that a thread reads (or writes) along, and says which pages to ask for before it gets there.
// Sequential streams ask for runs of 4, 8, ... pages, always one run ahead of the one in use; strided ones for single
// pages. A guess that is wrong costs other nodes a page, so three faults must agree first.
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

  // The thread faulted and the page has to be asked for.
  Ahead on_miss(PageNo, Access, uint16_t max_run);
  // The thread touched a page that was fetched ahead, or is under way.
  Ahead on_ahead(PageNo, Access, uint16_t max_run);
  // The thread is going through these pages: what it touched last, and what was asked for ahead of it.
  bool covers(PageNo page) const { return steps_ >= kConfirm && stride_ == 1 && page >= last_ && page < frontier_; }
  // A page that was fetched ahead went before anybody touched it: shorter runs, and only once the stream is sure again.
  void on_waste() {
    steps_ = 0;
    run_ = 1;
  }
  uint64_t state() const;

 private:
  Ahead advance(PageNo, Access, uint16_t max_run);
  PageNo last_{};       // last touch that we saw
  PageNo frontier_{};   // first page of the stream that was not asked for
  int64_t stride_ = 0;
  uint32_t steps_ = 0;  // that agreed
  uint16_t run_ = 1;
};

}  // namespace dsm::coherence
