// SPDX-License-Identifier: Apache-2.0
// FaultSource over the userfaultfd of the program's process. fault_source.h has the contract.
#pragma once
#include "libdsm/fault/fault_source.h"
#include "libdsm/fault/invalidation.h"
#include "libdsm/os/uffd.h"

namespace dsm::fault {

class UffdSource final : public FaultSource {
 public:
  // `invalidation` and `pages` must outlive this object.
  UffdSource(os::Uffd uffd, Invalidation& invalidation, memory::PageStore& pages)
      : uffd_(std::move(uffd)), invalidation_(invalidation), pages_(pages) {}

  int fd() const override { return uffd_.fd(); }
  int read(std::span<FaultEvent> events) override;
  int track(uint64_t start, uint64_t length, Tracking tracking) override;
  int map(PageNo first, uint64_t count, Access access) override;
  int zero_fill(PageNo first, uint64_t count, Access access) override;
  uint64_t fill_holes(PageNo first, uint64_t count) override;
  int unprotect(PageNo first, uint64_t count) override;
  int protect(PageNo first, uint64_t count) override;
  int zap(PageNo first, uint64_t count) override { return invalidation_.invalidate(first, count); }
  int wake(PageNo first, uint64_t count) override;

 private:
  template <class Operation, class MappedAlready>
  int over_run(PageNo first, uint64_t count, Operation operation, MappedAlready mapped_already);
  int set_protection(PageNo first, uint64_t count, bool on);
  int finish_mapped_page(PageNo page, Access access);
  int fill_by_content(PageNo page, Access access);

  os::Uffd uffd_;
  Invalidation& invalidation_;
  memory::PageStore& pages_;
};

}  // namespace dsm::fault
