// SPDX-License-Identifier: Apache-2.0
#include "libdsm/memory/sent_store.h"

namespace dsm::memory {
namespace {
constexpr size_t kMaxSpare = 256;  // 1 MiB
}

std::span<std::byte> SentStore::put(PageNo page) {
  std::unique_ptr<Buffer>& slot = kept_[page];
  if (!slot && !spare_.empty()) {
    slot = std::move(spare_.back());
    spare_.pop_back();
  }
  if (!slot) slot.reset(new Buffer);  // not cleared: the caller overwrites all of it
  return slot->bytes;
}

std::span<const std::byte> SentStore::get(PageNo page) const {
  auto it = kept_.find(page);
  if (it == kept_.end()) return {};
  return it->second->bytes;
}

void SentStore::forget(PageNo page) {
  auto it = kept_.find(page);
  if (it == kept_.end()) return;
  if (spare_.size() < kMaxSpare) spare_.push_back(std::move(it->second));
  kept_.erase(it);
}

}  // namespace dsm::memory
