// SPDX-License-Identifier: Apache-2.0
#include "libdsm/fault/uffd_source.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace dsm::fault {
namespace {

constexpr size_t kBatch = 16;

// The process or this part of its address space is gone: nobody is left to serve there.
bool gone(int error) { return error == -ESRCH || error == -ENOENT; }
int unless_gone(int error) { return gone(error) ? 0 : error; }

}  // namespace

int UffdSource::read(std::span<FaultEvent> events) {
  std::array<os::FaultEvent, kBatch> raw;
  int n = uffd_.read_events(std::span(raw).first(std::min(events.size(), raw.size())));
  for (int i = 0; i < n; ++i) {
    const os::FaultEvent& e = raw[static_cast<size_t>(i)];
    events[static_cast<size_t>(i)] = {page_of(e.address), e.write ? Access::kWrite : Access::kRead, e.thread, e.address};
  }
  return n;
}

int UffdSource::track(uint64_t start, uint64_t length, Tracking tracking) {
  auto mode = tracking == Tracking::kNative ? os::Uffd::Mode::kNative : os::Uffd::Mode::kTracked;
  int error = uffd_.register_range(start, length, mode);
  // Registering says ENOMEM where the other operations say ESRCH: the process is exiting.
  if (error == -ENOMEM && uffd_.write_protect(start, kPageBytes, false) == -ESRCH) return 0;
  return unless_gone(error);
}

// Runs `operation(first, count, &done)` over a run. The kernel answers -ENOENT for a run that spans two of its mappings as
// for one that is not mapped at all, so such a run is repeated page by page. `mapped_already` deals with -EEXIST.
template <class Operation, class MappedAlready>
int UffdSource::over_run(PageNo first, uint64_t count, Operation operation, MappedAlready mapped_already) {
  bool single = false;
  for (uint64_t i = 0; i < count;) {
    uint64_t done = 0, ask = single ? 1 : count - i;
    int error = operation((first + i).address(), ask * kPageBytes, &done);
    i += done / kPageBytes;
    if (error == 0) continue;
    if (error == -ENOENT && ask > 1) {
      single = true;
      continue;
    }
    if (error == -EEXIST) error = mapped_already(first + i);
    if (gone(error)) error = wake(first + i, 1);
    if (error != 0) return error;
    ++i;
  }
  return 0;
}

int UffdSource::map(PageNo first, uint64_t count, Access access) {
  auto operation = [&](uint64_t start, uint64_t length, uint64_t* done) {
    return uffd_.map(start, length, access == Access::kRead, done);
  };
  // Its thread raised a second event meanwhile: give it the rights, go on.
  return over_run(first, count, operation, [&](PageNo page) { return finish_mapped_page(page, access); });
}

int UffdSource::finish_mapped_page(PageNo page, Access access) {
  return access == Access::kWrite ? unprotect(page, 1) : wake(page, 1);
}

int UffdSource::zero_fill(PageNo first, uint64_t count, Access access) {
  if (access == Access::kRead) {  // UFFDIO_ZEROPAGE maps writable only
    for (uint64_t i = 0; i < count; ++i)
      if (int error = fill_by_content(first + i, access); error != 0) return error;
    return 0;
  }
  auto operation = [&](uint64_t start, uint64_t length, uint64_t* done) { return uffd_.zero_fill(start, length, done); };
  // Old content stayed in the memfd (an invalidation that keeps the page).
  return over_run(first, count, operation, [&](PageNo page) { return fill_by_content(page, Access::kWrite); });
}

// The allocation is one operation with the mapping, so content that a thread writes meanwhile by a native fill is never
// touched: one of the two finds the page there.
uint64_t UffdSource::fill_holes(PageNo first, uint64_t count) {
  uint64_t done = 0;
  (void)uffd_.zero_fill(first.address(), count * kPageBytes, &done);
  return done / kPageBytes;
}

int UffdSource::fill_by_content(PageNo page, Access access) {
  static constexpr std::array<std::byte, kPageBytes> kZeros{};
  int error = pages_.write(page, kZeros);
  return error != 0 ? error : map(page, 1, access);
}

int UffdSource::set_protection(PageNo first, uint64_t count, bool on) {
  auto operation = [&](uint64_t start, uint64_t length, uint64_t* done) {
    int error = uffd_.write_protect(start, length, on);
    *done = error == 0 ? length : 0;
    return error;
  };
  return over_run(first, count, operation, [](PageNo) { return 0; });
}

int UffdSource::unprotect(PageNo first, uint64_t count) { return set_protection(first, count, false); }

int UffdSource::protect(PageNo first, uint64_t count) { return set_protection(first, count, true); }

int UffdSource::wake(PageNo first, uint64_t count) {
  return unless_gone(uffd_.wake(first.address(), count * kPageBytes));
}

}  // namespace dsm::fault
