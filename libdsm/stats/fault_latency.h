// SPDX-License-Identifier: Apache-2.0
// FaultLatency: from the moment the agent reads a fault until it has mapped the page. The kernel's part before (event
// delivery) and after (waking the thread) is not in it.
#pragma once
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/stats/histogram.h"

namespace dsm::stats {

class FaultLatency {
 public:
  // A second fault on a page that is waited for already is not counted again.
  void begin(PageNo page, TimeNs now);
  void served(PageNo first, uint64_t count, TimeNs now);
  void refused(PageNo page);
  bool waiting() const { return !waiting_.empty(); }
  size_t waiting_count() const { return waiting_.size(); }
  const Histogram& histogram() const { return histogram_; }

 private:
  struct Waiting {
    PageNo page;
    TimeNs since;
  };
  std::vector<Waiting> waiting_;  // at most one a faulting thread, so a scan is cheap
  Histogram histogram_;
};

}  // namespace dsm::stats
