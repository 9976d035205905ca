// SPDX-License-Identifier: Apache-2.0
// The streams of one thread: it may go through several arrays at once, reading one and writing another. Four, the one
// that was used longest ago is forgotten first; hardware prefetchers keep such tables too (Intel 64 and IA-32
// Architectures Optimization Reference Manual, "Data Prefetching").
#pragma once
#include <array>
#include <cstdint>

#include "libdsm/coherence/prefetch.h"

namespace dsm::coherence {

class ThreadStreams {
 public:
  static constexpr unsigned kMost = 4;

  // The thread faulted and the page has to be asked for.
  Ahead on_miss(PageNo, Access, uint16_t max_run);
  // The thread touched a page that was fetched ahead, or is under way; perhaps another thread's doing.
  Ahead on_ahead(PageNo, Access, uint16_t max_run);
  // The stream that is going through the page now, or nullptr.
  Stream* covering(PageNo);
  uint64_t state() const;

 private:
  Stream& to_front(unsigned i);
  std::array<Stream, kMost> streams_{};  // the latest used first
};

}  // namespace dsm::coherence
