// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/first_touch.h"

#include <algorithm>

#include "libdsm/base/check.h"

namespace dsm::agent {

std::optional<PageNo> FirstTouch::added(PageRange fresh) {
  forget(fresh);
  if (fresh.count < kMinRangePages) return std::nullopt;
  PageNo guard = fresh.first + kProofPages;
  guards_[guard] = kProofPages;
  return guard;
}

void FirstTouch::forget(PageRange range) {
  guards_.erase(guards_.lower_bound(range.first), guards_.lower_bound(range.first + range.count));
}

uint64_t FirstTouch::take(PageNo guard) {
  auto it = guards_.find(guard);
  DSM_CHECK(it != guards_.end());
  uint64_t run = it->second;
  guards_.erase(it);
  return run;
}

PageNo FirstTouch::filled(PageNo guard, uint64_t count) {
  PageNo next = guard + count + 1;
  guards_[next] = std::min(count * 2, kMaxRunPages);
  return next;
}

}  // namespace dsm::agent
