// SPDX-License-Identifier: Apache-2.0
// PageStore: the contents of this node's pages, read and written without touching the program's mappings. At the origin,
// pages of read-only file mappings are read from their file. Owner-thread only.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "libdsm/base/ids.h"
#include "libdsm/memory/address_map.h"
#include "libdsm/os/memfd.h"
#include "libdsm/wire/block_bits.h"

namespace dsm::memory {

class PageStore {
 public:
  // `map`: the origin's address map, or nullptr where all content is in the memfd. It must outlive this object.
  PageStore(os::Memfd memfd, const AddressMap* map) : memfd_(std::move(memfd)), map_(map) {}

  // 0 or -errno. `bytes` is a whole number of pages.
  int read(PageNo first, std::span<std::byte> bytes) const;
  int write(PageNo first, std::span<const std::byte> bytes) { return memfd_.write(first.address(), bytes); }
  int punch(PageNo first, uint64_t count);

  const os::Memfd& memfd() const { return memfd_; }
  // Whether the page has content in the memfd.
  bool present(PageNo page) const { return memfd_.next_data(page.address()) == static_cast<int64_t>(page.address()); }
  // The first page at or behind `from` that has content in the memfd.
  std::optional<PageNo> next_content(PageNo from) const;
  // What the content of the memfd takes.
  uint64_t bytes_held() const { return memfd_.bytes_held(); }
  // Pages of the block that have content in the memfd. 0 or -errno.
  int presence(BlockNo block, wire::BlockBits* present) const;
  // Changes whenever the content does (not cryptographic). 0 for a page that cannot be read.
  uint64_t digest(PageNo page) const;

 private:
  os::Memfd memfd_;
  const AddressMap* map_;
};

}  // namespace dsm::memory
