// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/uffd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Newer than Debian 12's headers (6.1); all in Linux 6.4.
#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP ((__u64)1 << 1)
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

namespace dsm::os {
namespace {

constexpr size_t kEventsPerRead = 16;

// UFFDIO_* report progress in a signed field that holds -errno instead when nothing was done.
uint64_t progress(int64_t field) { return field > 0 ? static_cast<uint64_t>(field) : 0; }

}  // namespace

uint64_t required_uffd_features() {
  return UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
         UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_EXACT_ADDRESS;
}

int Uffd::read_events(std::span<FaultEvent> events) {
  std::array<uffd_msg, kEventsPerRead> raw;
  size_t wanted = std::min(events.size(), raw.size());
  ssize_t bytes = ::read(fd_.get(), raw.data(), wanted * sizeof(uffd_msg));
  if (bytes < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  int found = 0;
  for (size_t i = 0; i < static_cast<size_t>(bytes) / sizeof(uffd_msg); ++i) {
    if (raw[i].event != UFFD_EVENT_PAGEFAULT) continue;  // no other event was asked for
    const auto& fault = raw[i].arg.pagefault;
    bool protect = fault.flags & UFFD_PAGEFAULT_FLAG_WP;
    events[found++] = FaultEvent{fault.address, ThreadId{static_cast<int32_t>(fault.feat.ptid)},
                                 protect || (fault.flags & UFFD_PAGEFAULT_FLAG_WRITE), protect};
  }
  return found;
}

int Uffd::register_range(uint64_t start, uint64_t length, Mode mode) {
  uffdio_register request{};
  request.range = {start, length};
  request.mode = UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP;
  if (mode == Mode::kTracked) request.mode |= UFFDIO_REGISTER_MODE_MISSING;
  return ::ioctl(fd_.get(), UFFDIO_REGISTER, &request) < 0 ? -errno : 0;
}

int Uffd::unregister_range(uint64_t start, uint64_t length) {
  uffdio_range range{start, length};
  return ::ioctl(fd_.get(), UFFDIO_UNREGISTER, &range) < 0 ? -errno : 0;
}

int Uffd::continue_range(uint64_t start, uint64_t length, uint64_t mode, uint64_t* done) {
  *done = 0;
  while (*done < length) {
    uffdio_continue request{};
    request.range = {start + *done, length - *done};
    request.mode = mode;
    int error = ::ioctl(fd_.get(), UFFDIO_CONTINUE, &request) < 0 ? errno : 0;
    *done += progress(request.mapped);
    if (error == 0) return 0;
    if (error != EAGAIN) return -error;  // EAGAIN with progress: go on behind it
  }
  return 0;
}

int Uffd::map(uint64_t start, uint64_t length, bool write_protect_it, uint64_t* done) {
  if (!write_protect_it) return continue_range(start, length, 0, done);
  if (continue_wp_) return continue_range(start, length, UFFDIO_CONTINUE_MODE_WP, done);
  int error = continue_range(start, length, UFFDIO_CONTINUE_MODE_DONTWAKE, done);
  if (*done == 0) return error;
  uffdio_writeprotect protect{};
  protect.range = {start, *done};
  protect.mode = UFFDIO_WRITEPROTECT_MODE_WP;
  if (::ioctl(fd_.get(), UFFDIO_WRITEPROTECT, &protect) < 0) return -errno;
  int woken = wake(start, *done);
  return error != 0 ? error : woken;
}

int Uffd::zero_fill(uint64_t start, uint64_t length, uint64_t* done) {
  *done = 0;
  while (*done < length) {
    uffdio_zeropage request{};
    request.range = {start + *done, length - *done};
    int error = ::ioctl(fd_.get(), UFFDIO_ZEROPAGE, &request) < 0 ? errno : 0;
    *done += progress(request.zeropage);
    if (error == 0) return 0;
    if (error != EAGAIN) return -error;
  }
  return 0;
}

int Uffd::write_protect(uint64_t start, uint64_t length, bool on) {
  uffdio_writeprotect request{};
  request.range = {start, length};
  request.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
  for (;;) {
    if (::ioctl(fd_.get(), UFFDIO_WRITEPROTECT, &request) == 0) return 0;
    if (errno != EAGAIN) return -errno;
  }
}

int Uffd::wake(uint64_t start, uint64_t length) {
  uffdio_range range{start, length};
  return ::ioctl(fd_.get(), UFFDIO_WAKE, &range) < 0 ? -errno : 0;
}

Fd open_own_uffd(uint64_t* features, int* error) {
  *features = 0;
  *error = 0;
  auto open_one = [error]() -> Fd {
    Fd device(::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
    int device_error = device ? 0 : errno;
    int fd = device ? ::ioctl(device.get(), USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0) fd = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
    if (fd < 0) *error = device_error != 0 && device_error != ENOENT ? device_error : errno;
    return Fd(fd);
  };
  // UFFDIO_API succeeds once per descriptor: one to ask, one to use.
  uffdio_api api{UFFD_API, 0, 0};
  Fd query = open_one();
  if (!query) return query;
  if (::ioctl(query.get(), UFFDIO_API, &api) < 0) {
    *error = errno;
    return Fd{};
  }
  *features = api.features;
  api = {UFFD_API, required_uffd_features() & *features, 0};
  Fd fd = open_one();
  if (fd && ::ioctl(fd.get(), UFFDIO_API, &api) < 0) {
    *error = errno;
    return Fd{};
  }
  return fd;
}

}  // namespace dsm::os
