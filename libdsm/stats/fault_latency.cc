// SPDX-License-Identifier: Apache-2.0
#include "libdsm/stats/fault_latency.h"

#include <algorithm>

namespace dsm::stats {

void FaultLatency::begin(PageNo page, TimeNs now) {
  auto same = [page](const Waiting& w) { return w.page == page; };
  if (std::none_of(waiting_.begin(), waiting_.end(), same)) waiting_.push_back({page, now});
}

void FaultLatency::served(PageNo first, uint64_t count, TimeNs now) {
  PageRange range{first, count};
  for (size_t i = 0; i < waiting_.size();) {
    if (!range.contains(waiting_[i].page)) {
      ++i;
      continue;
    }
    histogram_.add(now - waiting_[i].since);
    waiting_[i] = waiting_.back();
    waiting_.pop_back();
  }
}

void FaultLatency::refused(PageNo page) {
  std::erase_if(waiting_, [page](const Waiting& w) { return w.page == page; });
}

}  // namespace dsm::stats
