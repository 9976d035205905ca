// SPDX-License-Identifier: Apache-2.0
// The address map of a process image. Pages of ordinary memory are not in it: each node writes those that it has. What only the
// kernel at the origin knows (mappings that never leave it) is.
#include <asm/stat.h>
#include <linux/fcntl.h>

#include "libdsm/runtime/image_limits.h"
#include "libdsm/runtime/image_writer.h"
#include "libdsm/runtime/maps_reader.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

using image::RangeSource;
using image::SectionKind;

constexpr uint64_t kMostCopied = 1ull << 30;   // content that is part of the image, of one range

struct Writer {
  ImageBuilder& builder;

  static image::Range base(const Range& range, RangeSource source) {
    image::Range out = {};
    out.start = range.start;
    out.end = range.end;
    out.source = source;
    out.prot = range.prot;
    out.flags = range.flags;
    out.offset = range.offset;
    return out;
  }

  // The name of the file behind a range, if it still has one.
  bool name_file(image::Range& out, const FileReference& file) {
    char link[64], path[kPathBytes];
    TextBuffer(link, sizeof link).text("/proc/thread-self/fd/").decimal(file.fd);
    const int64_t length = sys(__NR_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length <= 0 || path[0] != '/') return false;
    path[length] = 0;
    return note_file(out, path, file.device, file.inode);
  }

  bool note_file(image::Range& out, const char* path, uint64_t device, uint64_t inode) {
    struct stat status;
    if (sys(__NR_stat, path, &status) != 0 || (inode != 0 && (status.st_ino != inode || status.st_dev != device))) return false;
    out.path = builder.text(path);
    out.file_bytes = static_cast<uint64_t>(status.st_size);
    out.file_time_ns = static_cast<int64_t>(status.st_mtime) * 1'000'000'000 + static_cast<int64_t>(status.st_mtime_nsec);
    return true;
  }

  // Bytes of memory as they are now; what cannot be read ends it.
  bool copy(image::Range& out) {
    const uint64_t bytes = out.end - out.start;
    if (bytes > kMostCopied || !builder.has_room(bytes)) return false;
    out.content = builder.room(bytes);
    const size_t left = dsm_user_copy(builder.data(out.content), reinterpret_cast<const void*>(out.start), bytes);
    builder.shrink_last(&out.content, bytes - left);
    return true;
  }

  void add_private(const Range& range) {
    image::Range out = base(range, RangeSource::kMemory);
    if (range.file != nullptr && !name_file(out, *range.file)) out.offset = 0;   // from now on memory without a file
    if (range.file == nullptr) out.offset = 0;
    builder.add(SectionKind::kRanges, out);
  }

  void add_file_read(const Range& range) {
    image::Range out = base(range, RangeSource::kFileRead);
    if (!name_file(out, *range.file)) {
      out.source = RangeSource::kCopied;
      out.offset = 0;
      const bool readable = (range.prot & abi::kProtRead) != 0 ||
                            native_protect(range.start, range.end, range.prot | abi::kProtRead) == 0;
      const bool copied = readable && copy(out);
      if ((range.prot & abi::kProtRead) == 0) native_protect(range.start, range.end, range.prot);
      if (!copied) lose(out, "a mapped file that has no name any more");
    }
    builder.add(SectionKind::kRanges, out);
  }

  void lose(image::Range& out, const char* what) {
    out.source = RangeSource::kReserved;
    out.offset = 0;
    out.content = {};
    builder.lose(image::LostKind::kMemory, 0, out.start, what);
  }

  // One mapping of the kernel in a range that never leaves the origin.
  void add_pinned(const Range& range, const MapsReader::Mapping& mapping) {
    image::Range out = base(range, RangeSource::kSharedFile);
    if (mapping.start > out.start) out.start = mapping.start;
    if (mapping.end < out.end) out.end = mapping.end;
    out.offset = mapping.offset + (out.start - mapping.start);
    out.is_private = mapping.rights[3] == 'p' ? 1 : 0;
    const bool shared_memory = starts_with(mapping.name, "/dev/zero (deleted)");
    if (shared_memory) {
      out.source = RangeSource::kSharedMemory;
      out.offset = 0;
      const bool readable = (range.prot & abi::kProtRead) != 0 ||
                            native_protect(out.start, out.end, range.prot | abi::kProtRead) == 0;
      const bool copied = readable && copy(out);
      if ((range.prot & abi::kProtRead) == 0) native_protect(out.start, out.end, range.prot);
      if (!copied) lose(out, "shared memory, too large for the image");
    } else if (mapping.has_file && mapping.name[0] == '/' && !starts_with(mapping.name, "/dev/") &&
               note_file(out, mapping.name, 0, 0)) {
      // opened again by name
    } else {
      lose(out, mapping.name[0] != 0 ? mapping.name : "a mapping that the kernel does not name");
    }
    builder.add(SectionKind::kRanges, out);
  }
};

}  // namespace

void add_memory(ImageBuilder& builder) {
  const ProgramMap& ranges = process().memory.ranges();
  Writer writer = {builder};
  MapsReader reader("/proc/thread-self/maps");
  for (size_t i = 0; i < ranges.size(); i++) {
    const Range& range = ranges.at(i);
    if ((range.flags & kRangeRuntime) != 0) continue;
    switch (range.kind) {
      case abi::MapKind::kPrivate: writer.add_private(range); continue;
      case abi::MapKind::kFileRead: writer.add_file_read(range); continue;
      case abi::MapKind::kPinned: break;
    }
    while (reader.mapping().end <= range.start) reader.next();
    while (reader.mapping().start < range.end) {
      writer.add_pinned(range, reader.mapping());
      if (reader.mapping().end > range.end) break;
      reader.next();
    }
  }
}

}  // namespace dsm::runtime
