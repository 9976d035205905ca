// SPDX-License-Identifier: Apache-2.0
// The address map of a restored process (address_restore.cc does each range).
#include <asm-generic/errno.h>
#include <asm/stat.h>
#include <linux/fcntl.h>

#include "libdsm/runtime/image_restore.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {
namespace {

using image::RangeSource;

// A read-only mapping shows the file itself: another file, or the same one changed, would be another program.
void check_unchanged(int fd, const image::Range& range, const char* path) {
  struct stat status;
  RT_MUST(sys(__NR_fstat, fd, &status));
  const int64_t time_ns = static_cast<int64_t>(status.st_mtime) * 1'000'000'000 + static_cast<int64_t>(status.st_mtime_nsec);
  if (static_cast<uint64_t>(status.st_size) == range.file_bytes && time_ns == range.file_time_ns) return;
  fail("%s has changed since the checkpoint (size or time of change): the program that has it mapped cannot go on", path);
}

int open_behind(const image::Range& range, const image::View& view) {
  const char* const path = view.text(range.path);
  switch (range.source) {
    case RangeSource::kFileRead: {
      const int fd = open_again(path, O_RDONLY | O_CLOEXEC, "a mapped file");
      check_unchanged(fd, range, path);
      return fd;
    }
    case RangeSource::kSharedFile: {
      const int64_t fd = sys(__NR_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
      return is_error(fd) ? open_again(path, O_RDONLY | O_CLOEXEC, "a mapped file") : static_cast<int>(fd);
    }
    case RangeSource::kMemory: {
      // Only for what reads the file again (MADV_DONTNEED); the content itself is the checkpoint's.
      if (range.path.bytes == 0) return -1;
      const int64_t fd = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
      return is_error(fd) ? -1 : static_cast<int>(fd);
    }
    default:
      return -1;
  }
}

int64_t restore_range(const image::Range& range, const image::View& view, int fd) {
  AddressSpace& memory = process().memory;
  const uint8_t* const content = range.content.bytes != 0 ? view.data(range.content) : nullptr;
  switch (range.source) {
    case RangeSource::kMemory: return memory.restore_private(range, fd, nullptr);
    case RangeSource::kCopied: return memory.restore_private(range, -1, content);
    case RangeSource::kFileRead: return memory.restore_file_read(range, fd);
    case RangeSource::kSharedFile:
    case RangeSource::kReserved: return memory.restore_pinned(range, fd, nullptr);
    case RangeSource::kSharedMemory: return memory.restore_pinned(range, -1, content);
  }
  return -EINVAL;
}

}  // namespace

void restore_memory(const image::View& view) {
  for (const image::Range& range : view.ranges) {
    const int fd = open_behind(range, view);
    const int64_t error = restore_range(range, view, fd);
    if (fd >= 0) sys(__NR_close, fd);
    if (error != 0) fail("cannot restore the program's memory at %x-%x (error %d)", range.start, range.end, -error);
  }
}

}  // namespace dsm::runtime
