// SPDX-License-Identifier: Apache-2.0
// mmap, munmap, brk. See address_space.h for context and order of steps.
#include "libdsm/runtime/address_space.h"

#include <asm-generic/errno.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr uint32_t kProtBits = PROT_READ | PROT_WRITE | PROT_EXEC;
constexpr uint64_t kMapGrowsDown = 0x0100;
constexpr uint64_t kMap32Bit = 0x40;
constexpr uint64_t kFixed = MAP_FIXED | MAP_FIXED_NOREPLACE;
constexpr uint64_t kLowBegin = 0x40000000, kLowEnd = 0x80000000;   // MAP_32BIT, as Linux places it
constexpr uint64_t kMemDeviceMajor = 1, kZeroDeviceMinor = 5;

uint64_t device_major(uint64_t device) { return ((device >> 8) & 0xfff) | ((device >> 32) & ~0xfffull); }
uint64_t device_minor(uint64_t device) { return (device & 0xff) | ((device >> 12) & ~0xffull); }

}  // namespace

uint64_t file_bytes_behind(const FileReference& file, uint64_t offset, uint64_t length) {
  struct stat status;
  RT_MUST(sys(__NR_fstat, file.fd, &status));
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size <= offset) return 0;
  return size - offset < length ? size - offset : length;
}

void fill_from_file(uint64_t start, uint64_t end, const FileReference& file, uint64_t offset) {
  while (start < end) {
    const int64_t got = sys(__NR_pread64, file.fd, start, end - start, offset);
    if (got == -EINTR) continue;
    if (got <= 0) return;
    start += static_cast<uint64_t>(got);
    offset += static_cast<uint64_t>(got);
  }
}

int64_t map_memory_file(uint64_t start, uint64_t end) {
  return sys(__NR_mmap, start, end - start, PROT_NONE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, process().memory_fd, start);
}

int64_t native_protect(uint64_t start, uint64_t end, uint32_t prot) {
  return sys(__NR_mprotect, start, end - start, prot);
}

void AddressSpace::initialise(Arena& arena, uint64_t top) {
  map_.initialise(arena);
  top_ = top;
}

// For the loader: the kernel chooses, and what was not aligned is given back.
int64_t AddressSpace::map_alone(uint64_t address, uint64_t length, uint64_t prot, uint64_t flags, int64_t fd, uint64_t offset) const {
  return sys(__NR_mmap, address, length, prot, flags & ~kMapGrowsDown, fd, offset);
}

uint64_t AddressSpace::find_room(uint64_t length, uint64_t align) {
  if (process().lone.alone) {
    const uint64_t bytes = page_up(length) + align;
    const int64_t place = map_alone(0, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (is_error(place)) return 0;
    RT_MUST(sys(__NR_munmap, place, bytes));
    return (static_cast<uint64_t>(place) + align - 1) & ~(align - 1);
  }
  LockGuard guard(lock_);
  return map_.highest_gap(length, align, abi::kUserBegin, top_);
}

// The hint if it is free, else the highest place. Large mappings start at a block, so that what one thread shares with
// another node does not open its neighbour's block, too.
int64_t AddressSpace::choose(uint64_t hint, uint64_t length, uint64_t flags) const {
  hint = page_down(hint);
  const bool is_hint_free = hint >= abi::kUserBegin && is_program_range(hint, length) && map_.is_free(hint, hint + length);
  if ((flags & kMap32Bit) != 0) {
    if (is_hint_free && hint + length <= kLowEnd) return static_cast<int64_t>(hint);
    const uint64_t low = map_.highest_gap(length, abi::kPageSize, kLowBegin, kLowEnd);
    return low != 0 ? static_cast<int64_t>(low) : -ENOMEM;
  }
  if (is_hint_free) return static_cast<int64_t>(hint);
  uint64_t place = 0;
  if (length >= abi::kBlockSize) place = map_.highest_gap(length, abi::kBlockSize, abi::kUserBegin, top_);
  if (place == 0) place = map_.highest_gap(length, abi::kPageSize, abi::kUserBegin, top_);
  return place != 0 ? static_cast<int64_t>(place) : -ENOMEM;
}

// The refusals that the kernel's mmap would give for the descriptor, before anything is unmapped for it.
int64_t AddressSpace::check_file(const NewMapping& mapping, bool* is_anonymous, bool* is_native) const {
  const int64_t mode = sys(__NR_fcntl, mapping.fd, F_GETFL);
  if (is_error(mode) || process().private_fds.is_private(mapping.fd)) return -EBADF;
  struct stat status;
  if (const int64_t error = sys(__NR_fstat, mapping.fd, &status); is_error(error)) return error;
  if ((mode & O_PATH) != 0) return -EBADF;
  const bool shared = (mapping.flags & MAP_TYPE) != MAP_PRIVATE;
  if ((mode & O_ACCMODE) == O_WRONLY) return -EACCES;
  if (shared && (mapping.prot & PROT_WRITE) != 0 && (mode & O_ACCMODE) != O_RDWR) return -EACCES;
  if (S_ISCHR(status.st_mode) && device_major(status.st_rdev) == kMemDeviceMajor &&
      device_minor(status.st_rdev) == kZeroDeviceMinor) {
    *is_anonymous = true;
    return 0;
  }
  if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) return -ENODEV;
  *is_native = shared || !S_ISREG(status.st_mode);
  return 0;
}

int64_t AddressSpace::map(uint64_t address, uint64_t length, uint64_t prot, uint64_t flags, int64_t fd, uint64_t offset) {
  if (process().lone.alone) return map_alone(address, length, prot, flags, fd, offset);
  const uint64_t type = flags & MAP_TYPE;
  if (length == 0 || (offset & (abi::kPageSize - 1)) != 0) return -EINVAL;
  if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) return -EINVAL;
  if (length > abi::kUserEnd) return -ENOMEM;
  length = page_up(length);
  if ((flags & MAP_ANONYMOUS) == 0 && offset + length < offset) return -EOVERFLOW;
  if ((flags & MAP_HUGETLB) != 0) return process().refusals.refuse(__NR_mmap, ENOMEM);   // as where none are reserved

  LockGuard guard(lock_);
  const bool lock = lock_future_ || (flags & MAP_LOCKED) != 0;
  if (lock)
    if (const int64_t error = check_lock(length); error != 0) return error == -EPERM ? error : -EAGAIN;
  NewMapping mapping = {0, 0, static_cast<uint32_t>(prot) & kProtBits, flags & ~kMapGrowsDown, static_cast<int32_t>(fd), offset};
  uint32_t range_flags = type == MAP_PRIVATE ? 0u : uint32_t{kRangeShared};
  if ((flags & MAP_NORESERVE) != 0) range_flags |= kRangeNoReserve;
  if ((flags & kMapGrowsDown) != 0 && type == MAP_PRIVATE) range_flags |= kRangeGrowsDown;
  bool is_anonymous = (flags & MAP_ANONYMOUS) != 0, is_native = false;
  if (!is_anonymous)
    if (const int64_t error = check_file(mapping, &is_anonymous, &is_native); error != 0) return error;

  if ((flags & kFixed) != 0) {
    if ((address & (abi::kPageSize - 1)) != 0) return -EINVAL;
    if (!is_program_range(address, length)) return -((flags & MAP_FIXED_NOREPLACE) != 0 ? int64_t{EEXIST} : int64_t{ENOMEM});
    if (address < abi::kUserBegin) return -EPERM;
    if ((flags & MAP_FIXED_NOREPLACE) != 0 && !map_.is_free(address, address + length)) return -EEXIST;
    mapping.start = address;
  } else {
    const int64_t place = choose(address, length, flags);
    if (is_error(place)) return place;
    mapping.start = static_cast<uint64_t>(place);
  }
  mapping.end = mapping.start + length;
  if (!is_native)
    if (const int64_t error = check_growth(length, mapping.prot, range_flags); error != 0) return error;

  FileReference* file = nullptr;
  if (!is_anonymous && !is_native) {
    int64_t error = 0;
    file = files_.acquire(mapping.fd, &error);
    if (file == nullptr) return error;
  }
  int64_t result = clear(mapping.start, mapping.end);
  if (result != 0)
    files_.release(file);
  else if (is_native)
    result = add_pinned(mapping);
  else if (file == nullptr)
    result = add_private(mapping, range_flags, nullptr);
  else if ((mapping.prot & PROT_WRITE) == 0)
    result = add_file_read(mapping, file);
  else
    result = add_file_copy(mapping, range_flags, file);
  if (result == 0 && lock) result = change_lock(mapping.start, mapping.end, kRangeLocked, 0);
  return result == 0 ? static_cast<int64_t>(mapping.start) : result;
}

// Enters a range whose mapping stands; the range's reference of the file goes into the map, or is released.
int64_t AddressSpace::note(const Range& range) {
  if (map_.insert(range, files_)) return 0;
  sys(__NR_munmap, range.start, range.bytes());
  agent_range(abi::Op::kMapRemove, range.start, range.bytes());
  files_.release(range.file);
  return -ENOMEM;
}

int64_t AddressSpace::add_private(const NewMapping& mapping, uint32_t range_flags, FileReference* file) {
  const Range range = {mapping.start, mapping.end, abi::MapKind::kPrivate, mapping.prot, range_flags, 0, file, mapping.offset};
  int64_t result = map_memory_file(range.start, range.end);
  if (!is_error(result)) {
    result = agent_map_add({range.start, range.bytes(), range.prot, range.kind, range.offset, 0}, -1);
    if (result != 0) sys(__NR_munmap, range.start, range.bytes());
  }
  if (is_error(result)) {
    files_.release(file);
    return result;
  }
  if (file != nullptr) {
    result = native_protect(range.start, range.end, PROT_READ | PROT_WRITE);
    if (result == 0) fill_from_file(range.start, range.end, *file, range.offset);
  }
  if (result == 0 && (range.prot != 0 || file != nullptr)) result = native_protect(range.start, range.end, range.prot);
  if (result == 0) return note(range);
  sys(__NR_munmap, range.start, range.bytes());
  agent_range(abi::Op::kMapRemove, range.start, range.bytes());
  files_.release(file);
  return result;
}

// A private mapping that may be written: memory of its own, filled from the file. What lies behind the file's end stays the
// kernel's, which knows best what a touch there does now and when the file has grown.
int64_t AddressSpace::add_file_copy(const NewMapping& mapping, uint32_t range_flags, FileReference* file) {
  const uint64_t in_file = page_up(file_bytes_behind(*file, mapping.offset, mapping.end - mapping.start));
  const uint64_t edge = mapping.start + in_file;
  if (edge < mapping.end) {
    NewMapping tail = mapping;
    tail.start = edge;
    tail.offset += in_file;
    tail.fd = file->fd;
    tail.flags = (tail.flags & ~uint64_t{MAP_TYPE}) | MAP_PRIVATE;
    const int64_t error = add_pinned(tail);
    if (error != 0 || in_file == 0) files_.release(file);
    if (error != 0 || in_file == 0) return error;
  }
  NewMapping head = mapping;
  head.end = edge;
  const int64_t error = add_private(head, range_flags, file);
  if (error != 0 && edge < mapping.end) clear(edge, mapping.end);
  return error;
}

int64_t AddressSpace::add_file_read(const NewMapping& mapping, FileReference* file) {
  const Range range = {mapping.start, mapping.end, abi::MapKind::kFileRead, mapping.prot, 0, 0, file, mapping.offset};
  constexpr uint64_t kKept = MAP_POPULATE | MAP_LOCKED;
  int64_t result = sys(__NR_mmap, range.start, range.bytes(), range.prot,
                       MAP_PRIVATE | MAP_FIXED | (mapping.flags & kKept), file->fd, range.offset);
  if (!is_error(result)) {
    const uint64_t behind = file_bytes_behind(*file, range.offset, range.bytes());
    result = agent_map_add({range.start, range.bytes(), range.prot, range.kind, range.offset, behind}, file->fd);
    if (result == 0) return note(range);
    sys(__NR_munmap, range.start, range.bytes());
  }
  files_.release(file);
  return result;
}

int64_t AddressSpace::add_pinned(const NewMapping& mapping) {
  const Range range = {mapping.start, mapping.end, abi::MapKind::kPinned, mapping.prot, 0, 0, nullptr, 0};
  int64_t result = sys(__NR_mmap, range.start, range.bytes(), range.prot, (mapping.flags & ~kFixed) | MAP_FIXED, mapping.fd,
                       mapping.offset);
  if (is_error(result)) return result;
  result = agent_map_add({range.start, range.bytes(), range.prot, range.kind, 0, 0}, -1);
  if (result == 0) return note(range);
  sys(__NR_munmap, range.start, range.bytes());
  return result;
}

int64_t AddressSpace::clear(uint64_t start, uint64_t end) {
  if (map_.is_free(start, end)) return 0;
  RT_MUST(sys(__NR_munmap, start, end - start));
  if (const int64_t error = agent_range(abi::Op::kMapRemove, start, end - start); error != 0)
    fail("BUG: the agent cannot forget %x-%x (error %d)", start, end, -error);
  return map_.erase(start, end, files_) ? 0 : -ENOMEM;
}

int64_t AddressSpace::unmap(uint64_t address, uint64_t length) {
  if ((address & (abi::kPageSize - 1)) != 0 || length == 0 || length > abi::kUserEnd) return -EINVAL;
  length = page_up(length);
  if (!is_program_range(address, length)) return -EINVAL;
  LockGuard guard(lock_);
  return clear(address, address + length);
}

int64_t AddressSpace::set_break_to(uint64_t address) {
  LockGuard guard(lock_);
  const uint64_t old_end = page_up(break_now_);
  if (address < break_start_ || address > abi::kRuntimeBegin) return static_cast<int64_t>(break_now_);
  const uint64_t new_end = page_up(address);
  if (new_end > old_end) {
    constexpr uint32_t kReadWrite = PROT_READ | PROT_WRITE;
    const NewMapping mapping = {old_end, new_end, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0};
    const uint32_t range_flags = lock_future_ ? uint32_t{kRangeLocked} : 0u;
    if (!map_.is_free(old_end, new_end) || check_growth(new_end - old_end, kReadWrite, 0) != 0 ||
        (lock_future_ && check_lock(new_end - old_end) != 0) || add_private(mapping, range_flags, nullptr) != 0)
      return static_cast<int64_t>(break_now_);
  } else if (new_end < old_end && clear(new_end, old_end) != 0) {
    return static_cast<int64_t>(break_now_);
  }
  break_now_ = address;
  return static_cast<int64_t>(address);
}

int64_t AddressSpace::set_native_break(uint64_t address) {
  const uint64_t old_end = page_up(break_now_), new_end = page_up(address);
  if (address < break_start_ || address > abi::kRuntimeBegin) return static_cast<int64_t>(break_now_);
  if (new_end > old_end && is_error(sys(__NR_mmap, old_end, new_end - old_end, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)))
    return static_cast<int64_t>(break_now_);
  if (new_end < old_end) RT_MUST(sys(__NR_munmap, new_end, old_end - new_end));
  break_now_ = address;
  return static_cast<int64_t>(address);
}

void AddressSpace::forget() {
  map_.clear();
  files_.forget();
}

}  // namespace dsm::runtime
