// SPDX-License-Identifier: Apache-2.0
// A lone process joins its job: what the kernel has mapped becomes the memory of a distributed process, in place.
//
// Private memory is copied into the memfd and mapped from there; the agent takes it for blocks that are native at the origin and have
// content, as after a first touch. Read-only files stay the kernel's mappings and become known; what others can write is pinned.
//
// Context: the only thread of the process, in its trap handler; nothing here touches program memory but through dsm_user_copy.
#include <asm-generic/errno.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>

#include "libdsm/runtime/address_space.h"
#include "libdsm/runtime/maps_reader.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {

struct NativeRange {
  uint64_t start, end, offset;
  uint32_t prot, flags;      // RangeFlags
  int32_t file_fd;           // of a regular file, or -1; ours to close
  bool has_file;
  bool stays;                // shared with others, or no memory that could be copied
  bool has_own_pages;        // a private file mapping that has been written to

  uint64_t bytes() const { return end - start; }
};

namespace {

constexpr uint64_t kPieceBytes = abi::kBlockSize;
constexpr uint64_t kPiecePages = kPieceBytes / abi::kPageSize;

// ---- What is there --------------------------------------------------------------------------------------------------

// The file behind a private mapping, by the kernel's own link if that is allowed, else by its name if that still is the file.
int open_mapped_file(const MapsReader::Mapping& mapping) {
  char link[80];
  TextBuffer(link, sizeof link).text("/proc/self/map_files/").hex(mapping.start).text("-").hex(mapping.end);
  constexpr uint64_t kQuietly = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  int64_t fd = sys(__NR_openat, AT_FDCWD, link, kQuietly);
  const bool by_name = is_error(fd);
  if (by_name) fd = sys(__NR_openat, AT_FDCWD, mapping.name, kQuietly);
  if (is_error(fd)) return -1;
  struct stat status;
  const char* device = mapping.rest;
  const uint64_t major = parse_hex(&device), minor = parse_hex(&++device);
  const uint64_t inode = parse_decimal(&++device);
  const bool known = sys(__NR_fstat, fd, &status) == 0 && S_ISREG(status.st_mode);
  const bool same = !by_name || (status.st_ino == inode && ((status.st_dev >> 8) & 0xfff) == major &&
                                 ((status.st_dev & 0xff) | ((status.st_dev >> 12) & 0xfff00)) == minor);
  if (known && same) return static_cast<int>(fd);
  sys(__NR_close, fd);
  return -1;
}

bool is_flag(const char* at, const char* two) { return at[0] == two[0] && at[1] == two[1]; }

void note_kernel_flags(const char* list, NativeRange& range) {
  for (; list[0] != 0 && list[1] != 0; list++) {
    if (*list == ' ') continue;
    if (is_flag(list, "gd")) range.flags |= kRangeGrowsDown;
    if (is_flag(list, "lo")) range.flags |= kRangeLocked;
    if (is_flag(list, "nr")) range.flags |= kRangeNoReserve;
    if (is_flag(list, "dc")) range.flags |= kRangeNotForked;
    if (is_flag(list, "wf")) range.flags |= kRangeWiped;
    if (is_flag(list, "ht") || is_flag(list, "io") || is_flag(list, "pf")) range.stays = true;
    list++;
  }
}

NativeRange describe(MapsReader& reader) {
  const MapsReader::Mapping& mapping = reader.mapping();
  NativeRange range = {mapping.start, mapping.end, mapping.offset, 0, 0, -1, mapping.has_file, false, false};
  range.prot = (mapping.rights[0] == 'r' ? PROT_READ : 0u) | (mapping.rights[1] == 'w' ? PROT_WRITE : 0u) |
               (mapping.rights[2] == 'x' ? PROT_EXEC : 0u);
  const bool kernels_own = mapping.name[0] == '[' && !starts_with(mapping.name, "[heap") && !starts_with(mapping.name, "[stack") &&
                           !starts_with(mapping.name, "[anon");
  range.stays = mapping.rights[3] == 's' || kernels_own;
  if (mapping.has_file && !range.stays) {
    range.file_fd = open_mapped_file(mapping);
    range.stays = range.file_fd < 0 && starts_with(mapping.name, "/dev/");
  }
  while (const char* line = reader.next_detail()) {
    if (starts_with(line, "VmFlags:")) note_kernel_flags(line + 8, range);
    if (!starts_with(line, "Anonymous:")) continue;
    const char* number = line + 10;
    while (*number == ' ') number++;
    range.has_own_pages = parse_decimal(&number) != 0;
  }
  if (range.end == abi::kUserEnd) range.flags |= kRangeGrowsDown;   // the main stack
  return range;
}

bool is_programs(const MapsReader::Mapping& mapping) { return mapping.start < abi::kUserEnd && !in_runtime_range(mapping.start); }

unsigned count_mappings() {
  unsigned count = 0;
  for (MapsReader reader("/proc/self/maps"); reader.mapping().start < abi::kUserEnd; reader.next())
    count += is_programs(reader.mapping()) ? 1 : 0;
  return count;
}

// ---- Moving it ----------------------------------------------------------------------------------------------------------

// Which pages of private memory there are: what was never touched is not to be copied.
class PresentPages {
 public:
  PresentPages() : fd_(RT_MUST(sys(__NR_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC))) {}
  ~PresentPages() { sys(__NR_close, fd_); }
  PresentPages(const PresentPages&) = delete;
  PresentPages& operator=(const PresentPages&) = delete;

  // Looks at [start,end), at most one piece.
  void read(uint64_t start, uint64_t end) {
    start_ = start;
    pages_ = (end - start) / abi::kPageSize;
    const uint64_t bytes = pages_ * sizeof entry_[0];
    const int64_t got = sys(__NR_pread64, fd_, entry_, bytes, start / abi::kPageSize * sizeof entry_[0]);
    if (got != static_cast<int64_t>(bytes)) fail("cannot read /proc/self/pagemap (%d)", got);
  }
  // The next run of pages that are there, from `at` on; false: no more.
  bool next_run(uint64_t at, uint64_t* start, uint64_t* end) const {
    uint64_t i = (at - start_) / abi::kPageSize;
    while (i < pages_ && !is_present(i)) i++;
    *start = start_ + i * abi::kPageSize;
    while (i < pages_ && is_present(i)) i++;
    *end = start_ + i * abi::kPageSize;
    return *end > *start;
  }

 private:
  bool is_present(uint64_t index) const {
    constexpr uint64_t kPresent = 1ull << 63, kSwapped = 1ull << 62;
    return (entry_[index] & (kPresent | kSwapped)) != 0;
  }
  int64_t fd_;
  uint64_t start_ = 0, pages_ = 0;
  uint64_t entry_[kPiecePages];
};

// The memfd's bytes of one piece of program memory after the other, at an address of the runtime's.
class Window {
 public:
  explicit Window(Process& self) : self_(self), place_(self.arena.take_addresses(kPieceBytes)) {}
  ~Window() { sys(__NR_munmap, place_, kPieceBytes); }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  void move_to(uint64_t start, uint64_t end) {
    RT_MUST(sys(__NR_mmap, place_, end - start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, self_.memory_fd, start));
    start_ = start;
  }
  // Copies program memory to where it will be; returns the bytes that could not be read.
  size_t fill(uint64_t start, uint64_t end) const {
    return dsm_user_copy(reinterpret_cast<void*>(place_ + (start - start_)), reinterpret_cast<const void*>(start), end - start);
  }

 private:
  Process& self_;
  uint64_t place_, start_ = 0;
};

void move_anonymous(const NativeRange& range) {
  PresentPages present;
  Window window(process());
  for (uint64_t at = range.start, piece_end; at < range.end; at = piece_end) {
    piece_end = (at / kPieceBytes + 1) * kPieceBytes;
    if (piece_end > range.end) piece_end = range.end;
    present.read(at, piece_end);
    uint64_t from, to = at;
    if (!present.next_run(at, &from, &to)) continue;
    window.move_to(at, piece_end);
    do {
      if (window.fill(from, to) != 0) fail("BUG: memory at %x cannot be read", from);
    } while (to < piece_end && present.next_run(to, &from, &to));
    sys(__NR_madvise, at, piece_end - at, MADV_DONTNEED);   // so that it is not there twice; mapped over in the end
  }
}

// Returns the end of what could be read: behind the end of the file nothing can.
uint64_t move_private_file(const NativeRange& range) {
  Window window(process());
  for (uint64_t at = range.start, piece_end; at < range.end; at = piece_end) {
    piece_end = (at / kPieceBytes + 1) * kPieceBytes;
    if (piece_end > range.end) piece_end = range.end;
    window.move_to(at, piece_end);
    for (uint64_t page = at; page < piece_end; page += abi::kPageSize)
      if (window.fill(page, page + abi::kPageSize) != 0) return page;
  }
  return range.end;
}

}  // namespace

uint64_t AddressSpace::move_into_memory_file(const NativeRange& native, FileReference* file) {
  if ((native.prot & PROT_READ) == 0) RT_MUST(native_protect(native.start, native.end, PROT_READ));
  uint64_t end = native.end;
  if (native.has_file)
    end = move_private_file(native);
  else
    move_anonymous(native);
  if (end < native.end && (native.prot & PROT_READ) == 0) RT_MUST(native_protect(end, native.end, native.prot));
  if (end == native.start) {
    files_.release(file);
    return end;
  }
  const Range range = {native.start, end, abi::MapKind::kPrivate, native.prot, native.flags, 0, file,
                       file != nullptr ? native.offset : 0};
  RT_MUST(map_memory_file(range.start, range.end));
  if (agent_map_add({range.start, range.bytes(), range.prot, range.kind, range.offset, 0}, -1) != 0)
    fail("the agent does not take memory at %x", range.start);
  RT_MUST(native_protect(range.start, range.end, range.prot));
  if (note(range) != 0) fail("the program has too many mappings");
  return end;
}

void AddressSpace::take_over(const NativeRange& native) {
  int64_t error = 0;
  FileReference* file = native.file_fd >= 0 ? files_.acquire(native.file_fd, &error) : nullptr;
  uint64_t known = native.start;
  if (!native.stays && native.has_file && file != nullptr && !native.has_own_pages && (native.prot & PROT_WRITE) == 0) {
    const Range range = {native.start, native.end, abi::MapKind::kFileRead, native.prot, native.flags, 0, file, native.offset};
    const uint64_t behind = file_bytes_behind(*file, range.offset, range.bytes());
    if (agent_map_add({range.start, range.bytes(), range.prot, range.kind, range.offset, behind}, file->fd) != 0 || note(range) != 0)
      fail("the agent does not take the file at %x", range.start);
    known = native.end;
  } else if (!native.stays) {
    known = move_into_memory_file(native, file);
  }
  if (known == native.end) return;
  const Range range = {known, native.end, abi::MapKind::kPinned, native.prot, 0, 0, nullptr, 0};
  if (agent_map_add({range.start, range.bytes(), range.prot, range.kind, 0, 0}, -1) != 0 || note(range) != 0)
    fail("the agent does not take memory at %x", range.start);
}

void AddressSpace::take_over_native() {
  Arena& arena = process().arena;
  const unsigned capacity = count_mappings();
  const uint64_t bytes = (capacity + 1) * sizeof(NativeRange);
  auto* native = static_cast<NativeRange*>(arena.take(bytes));
  unsigned count = 0;
  {
    MapsReader reader("/proc/self/smaps");
    for (; reader.mapping().start < abi::kUserEnd; reader.next()) {
      if (!is_programs(reader.mapping())) continue;
      RT_CHECK(count < capacity);
      native[count++] = describe(reader);
    }
  }
  // C libraries block all signals while they create a thread; a page that cannot be read must raise one (dsm_user_copy).
  const uint64_t mask = block_all_signals();
  for (unsigned i = 0; i < count; i++) {
    take_over(native[i]);
    if (native[i].file_fd >= 0) sys(__NR_close, native[i].file_fd);
  }
  exchange_kernel_mask(mask);
  arena.give_back(native, bytes);
}

}  // namespace dsm::runtime
