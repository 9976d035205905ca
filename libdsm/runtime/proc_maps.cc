// SPDX-License-Identifier: Apache-2.0
// Read-only files and pinned memory are the kernel's own mappings, so its lines are copied. Memory of ours is one shared
// file to the kernel; its lines are written from the program's map.
#include "libdsm/runtime/proc_maps.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/mman.h>

#include "libdsm/runtime/maps_reader.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kNameColumn = 73;   // where the kernel begins names
constexpr int kFilePathBytes = 4096;

class Output {
 public:
  explicit Output(int64_t fd) : fd_(fd) {}
  ~Output() { flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  Output& text(const char* value) {
    for (; *value != 0; value++) put(*value);
    return *this;
  }
  Output& decimal(uint64_t value) {
    char digits[24];
    return text(TextBuffer(digits, sizeof digits).decimal(static_cast<int64_t>(value)).data());
  }
  Output& hex(uint64_t value, size_t least) {
    char digits[24];
    TextBuffer number(digits, sizeof digits);
    number.hex(value);
    for (size_t i = number.size(); i < least; i++) put('0');
    return text(digits);
  }
  void end_line() {
    put('\n');
    column_ = 0;
  }
  void pad_to(uint64_t column) {
    while (column_ < column) put(' ');
  }

 private:
  void put(char byte) {
    if (filled_ == sizeof buffer_) flush();
    buffer_[filled_++] = byte;
    column_++;
  }
  void flush() {
    for (size_t done = 0; done < filled_;) {
      const int64_t put = sys(__NR_write, fd_, buffer_ + done, filled_ - done);
      if (put == -EINTR) continue;
      if (put <= 0) break;
      done += static_cast<size_t>(put);
    }
    filled_ = 0;
  }

  int64_t fd_;
  size_t filled_ = 0;
  uint64_t column_ = 0;
  char buffer_[2048];
};

// What smaps says about several mappings of the kernel's that are one to the program: sizes add up.
class Details {
 public:
  void add(const char* line) {
    size_t key = 0;
    while (line[key] != ':' && line[key] != 0) key++;
    if (line[key] == 0 || key >= sizeof Line::key) return;
    Line* entry = find(line, key);
    if (entry == nullptr) return;
    const char* value = line + key + 1;
    while (*value == ' ') value++;
    if (*value < '0' || *value > '9') return;   // VmFlags are the kernel's view
    const uint64_t number = parse_decimal(&value);
    entry->is_size = *value == ' ';
    if (!entry->is_size || starts_with(line, "KernelPageSize") || starts_with(line, "MMUPageSize"))
      entry->value = number;
    else
      entry->value += number;
  }
  void write(Output& out) const {
    for (unsigned i = 0; i < count_; i++) {
      out.text(line_[i].key).text(":");
      out.pad_to(16);
      out.text("        ").decimal(line_[i].value).text(line_[i].is_size ? " kB" : "").end_line();
    }
  }

 private:
  struct Line {
    char key[32];
    uint64_t value;
    bool is_size;
  };
  Line* find(const char* key, size_t bytes) {
    for (unsigned i = 0; i < count_; i++)
      if (memcmp(line_[i].key, key, bytes) == 0 && line_[i].key[bytes] == 0) return &line_[i];
    if (count_ == kMost || starts_with(key, "VmFlags")) return nullptr;
    Line& fresh = line_[count_++];
    fresh = {};
    memcpy(fresh.key, key, bytes);
    return &fresh;
  }
  static constexpr unsigned kMost = 40;
  Line line_[kMost];
  unsigned count_ = 0;
};

class MapsWriter {
 public:
  MapsWriter(MapsReader& native, Output& out, bool with_details) : native_(native), out_(out), with_details_(with_details) {}

  // Of a lone process: the kernel's, without the runtime's.
  void write_all_native() {
    write_native(0, abi::kRuntimeBegin, /*named=*/false);
    write_native(abi::kRuntimeBegin, abi::kRuntimeEnd, /*named=*/true);
    write_native(abi::kRuntimeEnd, ~uint64_t{0}, /*named=*/false);
  }

  void write(const AddressSpace& memory) {
    const ProgramMap& map = memory.ranges();
    for (size_t i = 0; i < map.size(); i++) {
      const Range& range = map.at(i);
      if ((range.flags & kRangeRuntime) != 0)
        write_native(range.start, range.end, /*named=*/true);   // [vdso] and its data
      else if (range.kind != abi::MapKind::kPrivate)
        write_native(range.start, range.end, /*named=*/false);
      else
        write_own(range, memory.break_start(), page_up(memory.break_now()));
    }
    write_native(abi::kUserEnd, ~uint64_t{0}, /*named=*/true);   // [vsyscall]
  }

 private:
  void write_bounds(uint64_t start, uint64_t end, const char* rights, uint64_t offset) {
    out_.hex(start, 8).text("-").hex(end, 8).text(" ").text(rights).text(" ").hex(offset, 8).text(" ");
  }

  // The kernel's mappings inside [start,end), clipped; if `named`, only those that are called [v...].
  void write_native(uint64_t start, uint64_t end, bool named) {
    for (; native_.mapping().start < end; native_.next()) {
      const MapsReader::Mapping& mapping = native_.mapping();
      if (mapping.end <= start || (named && !starts_with(mapping.name, "[v"))) continue;
      const uint64_t from = mapping.start > start ? mapping.start : start, to = mapping.end < end ? mapping.end : end;
      write_bounds(from, to, mapping.rights, mapping.has_file ? mapping.offset + (from - mapping.start) : 0);
      out_.text(mapping.rest).end_line();
      if (with_details_)
        while (const char* line = native_.next_detail()) out_.text(line).end_line();
      if (mapping.end > end) return;   // the rest is the next range's
    }
  }

  // Cut where the heap begins and ends, which may have merged with what surrounds it.
  void write_own(const Range& range, uint64_t heap_start, uint64_t heap_end) {
    uint64_t at = range.start;
    while (at < range.end) {
      uint64_t stop = range.end;
      if (at < heap_start && heap_start < stop) stop = heap_start;
      const bool in_heap = at >= heap_start && at < heap_end;
      if (in_heap && heap_end < stop) stop = heap_end;
      const bool is_stack = range.end == abi::kUserEnd && (range.flags & kRangeGrowsDown) != 0;
      write_piece(range, at, stop, in_heap ? "[heap]" : is_stack ? "[stack]" : "");
      at = stop;
    }
  }

  void write_piece(const Range& range, uint64_t start, uint64_t end, const char* name) {
    const char rights[] = {(range.prot & PROT_READ) != 0 ? 'r' : '-', (range.prot & PROT_WRITE) != 0 ? 'w' : '-',
                           (range.prot & PROT_EXEC) != 0 ? 'x' : '-', (range.flags & kRangeShared) != 0 ? 's' : 'p', 0};
    write_bounds(start, end, rights, range.file != nullptr ? range.offset_of(start) : 0);
    char path[kFilePathBytes] = {};
    if (range.file != nullptr) {
      const uint64_t device = range.file->device;
      out_.hex(((device >> 8) & 0xfff) | ((device >> 32) & ~0xfffull), 2).text(":");
      out_.hex((device & 0xff) | ((device >> 12) & ~0xffull), 2).text(" ").decimal(range.file->inode).text(" ");
      char link[48];
      TextBuffer(link, sizeof link).text("/proc/self/fd/").decimal(range.file->fd);
      const int64_t length = sys(__NR_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
      path[length > 0 ? length : 0] = 0;
      name = path;
    } else {
      out_.text("00:00 0 ");
    }
    if (*name != 0) out_.pad_to(kNameColumn);
    out_.text(name).end_line();
    if (with_details_) write_details(start, end);
  }

  void write_details(uint64_t start, uint64_t end) {
    Details sum;
    for (; native_.mapping().start < end; native_.next())
      if (native_.mapping().start >= start)
        while (const char* line = native_.next_detail()) sum.add(line);
    sum.write(out_);
  }

  MapsReader& native_;
  Output& out_;
  const bool with_details_;
};

}  // namespace

MapsFile own_maps_file(const char* path) {
  if (!starts_with(path, "/proc/")) return MapsFile::kNone;
  const char* rest = path + 6;
  if (starts_with(rest, "self/")) {
    rest += 5;
  } else if (starts_with(rest, "thread-self/")) {
    rest += 12;
  } else {
    if (*rest < '0' || *rest > '9') return MapsFile::kNone;
    if (parse_decimal(&rest) != static_cast<uint64_t>(process().pid) || *rest++ != '/') return MapsFile::kNone;
  }
  if (starts_with(rest, "task/")) {
    rest += 5;
    const auto tid = static_cast<int32_t>(parse_decimal(&rest));
    if (process().threads.find(tid) == nullptr || *rest++ != '/') return MapsFile::kNone;
  }
  return equal(rest, "maps") ? MapsFile::kMaps : equal(rest, "smaps") ? MapsFile::kSmaps : MapsFile::kNone;
}

int64_t open_own_maps(MapsFile file, uint64_t open_flags) {
  const bool with_details = file == MapsFile::kSmaps;
  const int64_t fd = sys(__NR_memfd_create, with_details ? "smaps" : "maps", (open_flags & O_CLOEXEC) != 0 ? MFD_CLOEXEC : 0);
  if (is_error(fd)) return fd;
  {
    AddressSpace& memory = process().memory;
    LockGuard guard(memory.lock());
    MapsReader native(with_details ? "/proc/self/smaps" : "/proc/self/maps");
    Output out(fd);
    MapsWriter writer(native, out, with_details);
    if (process().lone.alone)
      writer.write_all_native();
    else
      writer.write(memory);
  }
  sys(__NR_lseek, fd, 0, 0);
  return fd;
}

}  // namespace dsm::runtime
