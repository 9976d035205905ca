// SPDX-License-Identifier: Apache-2.0
// The open files of a process image. Descriptors that share one open file (by dup, or inherited so) share it afterwards.
#include "libdsm/runtime/image_files.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>
#include <linux/kcmp.h>

#include "libdsm/runtime/image_limits.h"
#include "libdsm/runtime/proc_text.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

using image::FileKind;
using image::SectionKind;

constexpr size_t kMostDetails = 16 << 20;
constexpr uint64_t kMostNameless = 1ull << 30;   // content of one file without a name
constexpr uint32_t kTtyMajorFirst = 4, kTtyMajorLast = 5, kPtsMajorFirst = 136, kPtsMajorLast = 143;

uint32_t major_of(uint64_t device) { return static_cast<uint32_t>((device >> 8) & 0xfff); }

bool is_terminal(const SeenDescriptor& seen) {
  const uint32_t major = major_of(seen.status.st_rdev);
  return (major >= kTtyMajorFirst && major <= kTtyMajorLast) || (major >= kPtsMajorFirst && major <= kPtsMajorLast);
}

bool has_name(const SeenDescriptor& seen) {
  struct stat named;
  return seen.name[0] == '/' && sys(__NR_stat, seen.name, &named) == 0 && named.st_ino == seen.status.st_ino &&
         named.st_dev == seen.status.st_dev;
}

class FileWriter {
 public:
  explicit FileWriter(ImageBuilder& builder) : builder_(builder), details_(static_cast<char*>(process().arena.take(kMostDetails))) {}
  ~FileWriter() { process().arena.give_back(details_, kMostDetails); }
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void add_all() {
    for (int64_t fd = next_open(0); fd >= 0; fd = next_open(fd + 1)) add(static_cast<int>(fd));
    for (uint32_t i = 0; i < builder_.count(SectionKind::kNumbers); i++) {
      const auto number = builder_.records<image::Descriptor>(SectionKind::kNumbers)[i];
      if (number.file >= watched_ && file(number.file).kind == FileKind::kEpoll) {
        SeenDescriptor seen;
        see(number.number, seen);
        add_watches(seen, number.file, builder_);
        watched_ = number.file + 1;
      }
    }
  }

 private:
  image::OpenFile& file(uint32_t index) const { return builder_.records<image::OpenFile>(SectionKind::kFiles)[index]; }

  // The program's lowest descriptor that is not below `fd`, or -1. The list of /proc would need a descriptor itself.
  static int64_t next_open(int64_t fd) {
    char path[] = "/proc/thread-self/fd";
    const int64_t folder = sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RT_CHECK(!is_error(folder));
    int64_t lowest = -1;
    alignas(8) char entries[4096];
    for (;;) {
      const int64_t bytes = sys(__NR_getdents64, folder, entries, sizeof entries);
      if (bytes <= 0) break;
      for (int64_t at = 0; at < bytes;) {
        const char* name = entries + at + 19;
        uint16_t size;
        memcpy(&size, entries + at + 16, sizeof size);
        at += size;
        if (*name < '0' || *name > '9') continue;
        const auto number = static_cast<int64_t>(parse_decimal(&name));
        if (number < fd || number == folder || process().private_fds.is_private(number)) continue;
        if (lowest < 0 || number < lowest) lowest = number;
      }
    }
    sys(__NR_close, folder);
    return lowest;
  }

  void see(int fd, SeenDescriptor& seen) {
    char path[64];
    seen.fd = fd;
    TextBuffer(path, sizeof path).text("/proc/thread-self/fd/").decimal(fd);
    const int64_t length = sys(__NR_readlinkat, AT_FDCWD, path, name_, sizeof name_ - 1);
    name_[length > 0 ? length : 0] = 0;
    TextBuffer(path, sizeof path).text("/proc/thread-self/fdinfo/").decimal(fd);
    read_small_file(path, details_, kMostDetails);
    RT_MUST(sys(__NR_fstat, fd, &seen.status));
    seen.name = name_;
    seen.details = details_;
  }

  void add(int fd) {
    SeenDescriptor seen;
    see(fd, seen);
    const bool close_on_exec = (sys(__NR_fcntl, fd, F_GETFD) & FD_CLOEXEC) != 0;
    uint32_t index = same_file(seen);
    if (index == image::kNoFile) {
      index = add_file(seen);
      add_locks(seen, index, builder_);
    }
    builder_.add(SectionKind::kNumbers, image::Descriptor{fd, index, close_on_exec ? 1u : 0u, 0});
  }

  // The open file that an earlier descriptor stands for, too.
  uint32_t same_file(const SeenDescriptor& seen) const {
    const int64_t pid = sys(__NR_getpid);
    for (uint32_t i = 0; i < builder_.count(SectionKind::kNumbers); i++) {
      const auto& number = builder_.records<image::Descriptor>(SectionKind::kNumbers)[i];
      const image::OpenFile& other = file(number.file);
      if (other.inode != seen.status.st_ino || other.device != seen.status.st_dev) continue;
      if (sys(__NR_kcmp, pid, pid, KCMP_FILE, number.number, seen.fd) == 0) return number.file;
    }
    return image::kNoFile;
  }

  uint32_t add_file(const SeenDescriptor& seen) {
    image::OpenFile out = {};
    out.flags = static_cast<uint32_t>(sys(__NR_fcntl, seen.fd, F_GETFL));
    out.device = seen.status.st_dev;
    out.inode = seen.status.st_ino;
    const int64_t offset = sys(__NR_lseek, seen.fd, 0, 1);
    out.offset = is_error(offset) ? 0 : static_cast<uint64_t>(offset);
    const int64_t owner = sys(__NR_fcntl, seen.fd, F_GETOWN), signal = sys(__NR_fcntl, seen.fd, F_GETSIG);
    out.owner = is_error(owner) ? 0 : static_cast<int32_t>(owner);
    out.owner_signal = is_error(signal) ? 0 : static_cast<int32_t>(signal);
    describe(seen, out);
    if (out.kind == FileKind::kLost) builder_.lose(image::LostKind::kDescriptor, seen.fd, 0, seen.name);
    return builder_.add(SectionKind::kFiles, out);
  }

  void describe(const SeenDescriptor& seen, image::OpenFile& out) {
    switch (seen.status.st_mode & S_IFMT) {
      case S_IFREG: return describe_regular(seen, out);
      case S_IFDIR:
        out.kind = has_name(seen) ? FileKind::kFolder : FileKind::kLost;
        out.path = builder_.text(seen.name);
        return;
      case S_IFCHR:
        if (seen.fd <= 2) return describe_launchers(seen, out);
        out.kind = is_terminal(seen) ? FileKind::kTerminal : has_name(seen) ? FileKind::kDevice : FileKind::kLost;
        out.path = builder_.text(seen.name);
        return;
      default:
        if (describe_special(seen, out, builder_)) return;
        if (seen.fd <= 2) return describe_launchers(seen, out);
        out.kind = FileKind::kLost;
    }
  }

  void describe_launchers(const SeenDescriptor& seen, image::OpenFile& out) {
    out.kind = FileKind::kLaunchers;
    out.number[0] = static_cast<uint64_t>(seen.fd);
    out.number[1] = static_cast<uint64_t>(seen.status.st_size);
    out.path = builder_.text(seen.name);
  }

  // Another file under the number of stdin, stdout or stderr is the program's own.
  static bool is_launchers(const SeenDescriptor& seen) {
    if (seen.fd > 2) return false;
    const StandardFile& given = process().remote.standard[seen.fd];
    return given.device == seen.status.st_dev && given.inode == seen.status.st_ino;
  }

  void describe_regular(const SeenDescriptor& seen, image::OpenFile& out) {
    if (is_launchers(seen)) return describe_launchers(seen, out);
    out.number[0] = static_cast<uint64_t>(seen.status.st_size);
    if (has_name(seen)) {
      out.kind = FileKind::kPath;
      out.path = builder_.text(seen.name);
      return;
    }
    out.kind = copy_nameless(seen, out) ? FileKind::kMemory : FileKind::kLost;
    if (out.kind == FileKind::kMemory) out.path = builder_.text(seen.name);
  }

  // A file that only this process can reach still, or the kernel's own (/proc): its bytes come along.
  bool copy_nameless(const SeenDescriptor& seen, image::OpenFile& out) {
    const auto bytes = static_cast<uint64_t>(seen.status.st_size);
    if (bytes > kMostNameless || !builder_.has_room(bytes)) return false;
    char link[64];
    TextBuffer(link, sizeof link).text("/proc/thread-self/fd/").decimal(seen.fd);
    const int64_t reader = sys(__NR_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC);
    if (is_error(reader)) return false;
    constexpr int kGetSeals = 1034;
    const int64_t seals = sys(__NR_fcntl, seen.fd, kGetSeals);
    out.number[0] = is_error(seals) ? 0 : static_cast<uint64_t>(seals);
    out.content = builder_.room(bytes);
    uint64_t done = 0;
    while (done < bytes) {
      const int64_t got = sys(__NR_pread64, reader, builder_.data(out.content) + done, bytes - done, done);
      if (got == -EINTR) continue;
      if (got <= 0) break;
      done += static_cast<uint64_t>(got);
    }
    sys(__NR_close, reader);
    builder_.shrink_last(&out.content, done);
    return done == bytes;
  }

  ImageBuilder& builder_;
  char* const details_;
  uint32_t watched_ = 0;
  char name_[kPathBytes];
};

}  // namespace

void add_files(ImageBuilder& builder) { FileWriter(builder).add_all(); }

void note_standard_files() {
  const int64_t launcher = sys(__NR_getppid);   // 0 in a PID namespace, where the program has just been restored
  for (int fd = 0; fd < 3; fd++) {
    char path[64];
    TextBuffer(path, sizeof path).text("/proc/").decimal(launcher).text("/fd/").decimal(fd);
    struct stat status = {};
    if (launcher <= 0 || sys(__NR_stat, path, &status) != 0) sys(__NR_fstat, fd, &status);
    process().remote.standard[fd] = {status.st_dev, status.st_ino};
  }
}

}  // namespace dsm::runtime
