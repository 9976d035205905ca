// SPDX-License-Identifier: Apache-2.0
// How a page is taken away from a process. Two strategies:
//  - PunchInvalidation frees the content; every mapping of it vanishes. For ordinary memory.
//  - KeepPageInvalidation removes the mapping and keeps the page, by MADV_DONTNEED in a helper thread inside the
//    process. For memory that a network card has pinned: a punched page would live on there as an orphan.
#pragma once
#include <cstdint>
#include <functional>

#include "libdsm/base/ids.h"
#include "libdsm/memory/page_store.h"

namespace dsm::fault {

class Invalidation {
 public:
  virtual ~Invalidation() = default;
  // When it returns 0 no thread of the process can reach the old content through its mappings.
  virtual int invalidate(PageNo first, uint64_t count) = 0;
};

class PunchInvalidation final : public Invalidation {
 public:
  explicit PunchInvalidation(memory::PageStore& pages) : pages_(pages) {}
  int invalidate(PageNo first, uint64_t count) override { return pages_.punch(first, count); }

 private:
  memory::PageStore& pages_;
};

class KeepPageInvalidation final : public Invalidation {
 public:
  // `zap_inside` has the process itself zap [start, start+length) and returns when it is done: 0 or -errno.
  using ZapInside = std::function<int(uint64_t start, uint64_t length)>;
  explicit KeepPageInvalidation(ZapInside zap_inside) : zap_inside_(std::move(zap_inside)) {}
  int invalidate(PageNo first, uint64_t count) override { return zap_inside_(first.address(), count * kPageBytes); }

 private:
  ZapInside zap_inside_;
};

}  // namespace dsm::fault
