// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/memfd.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libdsm/base/ids.h"

namespace dsm::os {
namespace {

// Calls `transfer(done)` until `size` bytes are through. 0, -errno, or 1 at an early end of file.
template <class Transfer>
int all_of(size_t size, Transfer transfer) {
  for (size_t done = 0; done < size;) {
    ssize_t n = transfer(done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) return 1;
    done += static_cast<size_t>(n);
  }
  return 0;
}

}  // namespace

Memfd Memfd::create(const char* name, uint64_t bytes) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC));
  if (fd && ::ftruncate(fd.get(), static_cast<off_t>(bytes)) < 0) fd.reset();
  return Memfd(std::move(fd));
}

int Memfd::read(uint64_t offset, std::span<std::byte> into) const {
  int error = all_of(into.size(), [&](size_t done) {
    return ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
  });
  return error == 1 ? -EINVAL : error;
}

int Memfd::write(uint64_t offset, std::span<const std::byte> from) {
  int error = all_of(from.size(), [&](size_t done) {
    return ::pwrite(fd_.get(), from.data() + done, from.size() - done, static_cast<off_t>(offset + done));
  });
  return error == 1 ? -EINVAL : error;
}

int Memfd::punch(uint64_t offset, uint64_t length) {
  int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  while (::fallocate(fd_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)) < 0) {
    if (errno != EINTR) return -errno;
  }
  return 0;
}

uint64_t Memfd::bytes_held() const {
  struct stat status;
  constexpr uint64_t kStatBlock = 512;
  return ::fstat(fd_.get(), &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * kStatBlock : 0;
}

Memfd Memfd::duplicate() const { return Memfd(Fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0))); }

int64_t Memfd::next_data(uint64_t offset) const {
  int64_t at = ::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_DATA);
  return at < 0 ? -errno : at;
}

int64_t Memfd::next_hole(uint64_t offset) const {
  int64_t at = ::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_HOLE);
  return at < 0 ? -errno : at;
}

// SEEK_HOLE walks all the content behind the limit too, which made opening the blocks of a large array quadratic. So
// cachestat(2) is asked first whether every page of the range is there; kernels before 6.5 do not have it.
int64_t Memfd::end_of_data(uint64_t offset, uint64_t limit) const {
  struct {
    uint64_t offset, length;
  } range{offset, limit - offset};
  struct {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
  } found{};
  constexpr long kCachestat = 451;
  if (::syscall(kCachestat, fd_.get(), &range, &found, 0) == 0 && found.cached == (limit - offset) / kPageBytes)
    return static_cast<int64_t>(limit);
  const int64_t at = next_hole(offset);
  return at < 0 ? at : std::min(at, static_cast<int64_t>(limit));
}

int read_file_padded(int fd, uint64_t offset, std::span<std::byte> into) {
  size_t got = 0;
  int error = all_of(into.size(), [&](size_t done) {
    ssize_t n = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    got = done + (n > 0 ? static_cast<size_t>(n) : 0);
    return n;
  });
  if (error < 0) return error;
  if (error == 1) std::memset(into.data() + got, 0, into.size() - got);
  return 0;
}

}  // namespace dsm::os
