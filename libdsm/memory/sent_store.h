// SPDX-License-Identifier: Apache-2.0
// SentStore: the bytes of pages that were given up and are not confirmed elsewhere yet. A page in flight must belong to
// somebody: until the directory releases it, this is its only sure copy. Owner-thread only; buffers are reused.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "libdsm/base/ids.h"

namespace dsm::memory {

class SentStore {
 public:
  // The buffer for `page`, kPageBytes long, replacing what was there; the caller fills it.
  std::span<std::byte> put(PageNo page);
  // Empty if nothing is kept under `page`.
  std::span<const std::byte> get(PageNo page) const;
  void forget(PageNo page);
  size_t size() const { return kept_.size(); }

 private:
  struct alignas(64) Buffer {
    std::byte bytes[kPageBytes];
  };
  std::unordered_map<PageNo, std::unique_ptr<Buffer>> kept_;
  std::vector<std::unique_ptr<Buffer>> spare_;
};

}  // namespace dsm::memory
