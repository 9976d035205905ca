// SPDX-License-Identifier: Apache-2.0
#include "libdsm/coherence/thread_streams.h"

#include <algorithm>

namespace dsm::coherence {

Stream& ThreadStreams::to_front(unsigned i) {
  std::rotate(streams_.begin(), streams_.begin() + i, streams_.begin() + i + 1);
  return streams_.front();
}

Ahead ThreadStreams::on_miss(PageNo page, Access access, uint16_t max_run) {
  for (unsigned i = 0; i < kMost; ++i)
    if (streams_[i].continues_at(page)) return to_front(i).on_miss(page, access, max_run);
  for (unsigned i = 0; i < kMost; ++i)
    if (streams_[i].near(page)) return to_front(i).on_miss(page, access, max_run);
  to_front(kMost - 1) = Stream(page);
  return {};
}

Ahead ThreadStreams::on_ahead(PageNo page, Access access, uint16_t max_run) {
  for (unsigned i = 0; i < kMost; ++i)
    if (streams_[i].asked_for(page)) return to_front(i).on_ahead(page, access, max_run);
  return {};
}

Stream* ThreadStreams::covering(PageNo page) {
  const auto s = std::find_if(streams_.begin(), streams_.end(), [&](const Stream& stream) { return stream.covers(page); });
  return s == streams_.end() ? nullptr : &*s;
}

uint64_t ThreadStreams::state() const {
  uint64_t all = 0;
  for (const Stream& s : streams_) all = all * 0x9e3779b97f4a7c15u + s.state();
  return all;
}

}  // namespace dsm::coherence
