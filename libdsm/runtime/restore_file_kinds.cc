// SPDX-License-Identifier: Apache-2.0
#include <asm-generic/errno.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "libdsm/runtime/image_limits.h"
#include "libdsm/runtime/restore_files.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

using image::FileKind;
using image::OpenFile;

constexpr int kSetPipeSize = 1031, kAddSeals = 1033;
constexpr int kUnix = 1, kStream = 1, kSolSocket = 1;

int must(int64_t result, const char* what) {
  if (is_error(result)) fail("cannot restore %s of the program (error %d)", what, -result);
  return static_cast<int>(result);
}

void write_whole(int fd, const uint8_t* from, uint64_t bytes, const char* what) {
  while (bytes > 0) {
    const int64_t done = sys(__NR_write, fd, from, bytes);
    if (done == -EINTR) continue;
    if (done <= 0) fail("cannot restore the content of %s of the program (error %d)", what, -done);
    from += done;
    bytes -= static_cast<uint64_t>(done);
  }
}

void link_of(int64_t fd, char* to, size_t capacity) { TextBuffer(to, capacity).text("/proc/self/fd/").decimal(fd); }

// The same open file under other access rights.
int reopen(int fd, uint64_t flags, const char* what) {
  char link[48];
  link_of(fd, link, sizeof link);
  return must(sys(__NR_openat, AT_FDCWD, link, flags | O_CLOEXEC), what);
}

}  // namespace

int64_t FileMaker::number_of(uint32_t file) const {
  for (const image::Descriptor& number : view_.numbers)
    if (number.file == file) return number.number;
  return -1;
}

int FileMaker::by_path(const OpenFile& file, uint64_t flags) const {
  constexpr uint64_t kNotAgain = O_CREAT | O_EXCL | O_TRUNC;
  const int fd = open_again(view_.text(file.path), ((file.flags | flags) & ~kNotAgain) | O_CLOEXEC, "an open file");
  if ((file.flags & O_PATH) != 0) return fd;
  sys(__NR_lseek, fd, file.offset, 0);
  // What was appended since the checkpoint will be appended once more.
  struct stat status;
  if (file.kind == FileKind::kPath && (file.flags & O_APPEND) != 0 && sys(__NR_fstat, fd, &status) == 0 &&
      static_cast<uint64_t>(status.st_size) > file.number[0])
    sys(__NR_ftruncate, fd, file.number[0]);
  return fd;
}

int FileMaker::launchers(const OpenFile& file) const {
  const int fd = standard[file.number[0]];
  if (fd < 0) return open_again("/dev/null", O_RDWR | O_CLOEXEC, "instead of a descriptor that the launcher does not have");
  const int own = must(sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 0), "a descriptor of the launcher");
  struct stat status;
  constexpr uint32_t kTypeMask = 0170000, kRegular = 0100000;
  if (sys(__NR_fstat, own, &status) != 0 || (status.st_mode & kTypeMask) != kRegular) return own;
  if (!process().remote.resumes_output || status.st_dev != file.device || status.st_ino != file.inode) return own;
  sys(__NR_lseek, own, file.offset, 0);
  if ((file.flags & O_APPEND) != 0 && static_cast<uint64_t>(status.st_size) > file.number[1]) sys(__NR_ftruncate, own, file.number[1]);
  return own;
}

int FileMaker::terminal(const OpenFile& file) const {
  const int64_t fd = sys(__NR_openat, AT_FDCWD, "/dev/tty", (file.flags & O_ACCMODE) | O_CLOEXEC | O_NOCTTY);
  if (!is_error(fd)) return static_cast<int>(fd);
  log("not restored: the terminal %s: there is none here, /dev/null takes its place", view_.text(file.path));
  return open_again("/dev/null", (file.flags & O_ACCMODE) | O_CLOEXEC, "instead of a terminal");
}

int FileMaker::memory(const OpenFile& file) const {
  constexpr uint64_t kMayBeSealed = 2;   // MFD_ALLOW_SEALING
  const int whole = must(sys(__NR_memfd_create, base_name(view_.text(file.path)), MFD_CLOEXEC | kMayBeSealed), "a file without a name");
  write_whole(whole, view_.data(file.content), file.content.bytes, "a file without a name");
  const int fd = reopen(whole, file.flags & (O_ACCMODE | O_APPEND | O_NONBLOCK), "a file without a name");
  sys(__NR_lseek, fd, file.offset, 0);
  constexpr uint64_t kNoSealing = 1;     // F_SEAL_SEAL: what no memfd was has it
  if (file.number[0] > kNoSealing) sys(__NR_fcntl, whole, kAddSeals, file.number[0]);
  sys(__NR_close, whole);
  return fd;
}

// The first end of a pipe makes it, with its content; the others are opened by way of an end that stands already.
int FileMaker::pipe(uint32_t index) const {
  const OpenFile& file = view_.files[index];
  const uint64_t access = file.flags & O_ACCMODE;
  for (uint32_t i = 0; i < index; i++) {
    const OpenFile& other = view_.files[i];
    if (other.kind != FileKind::kPipe || other.number[0] != file.number[0] || other.device != file.device) continue;
    return reopen(static_cast<int>(number_of(i)), access | O_NONBLOCK, "a pipe");
  }
  int end[2];
  must(sys(__NR_pipe2, end, O_CLOEXEC | (file.flags & O_DIRECT)), "a pipe");
  if (file.number[1] != 0) sys(__NR_fcntl, end[1], kSetPipeSize, file.number[1]);
  sys(__NR_fcntl, end[1], F_SETFL, O_NONBLOCK);   // more than the pipe holds must not hang here
  for (uint32_t i = index; i < view_.files.count; i++) {
    const OpenFile& reader = view_.files[i];
    if (reader.kind != FileKind::kPipe || reader.number[0] != file.number[0] || reader.content.bytes == 0) continue;
    write_whole(end[1], view_.data(reader.content), reader.content.bytes, "a pipe");
    break;
  }
  const int fd = access == O_RDONLY ? end[0] : access == O_WRONLY ? end[1] : reopen(end[0], O_RDWR, "a pipe");
  for (const int other : end)
    if (other != fd) sys(__NR_close, other);
  return fd;
}

int FileMaker::event(const OpenFile& file) const {
  constexpr uint64_t kSemaphore = 1;
  const int fd = must(sys(__NR_eventfd2, 0, O_CLOEXEC | (file.number[1] != 0 ? kSemaphore : 0)), "an eventfd");
  if (file.number[0] != 0 && file.number[0] != ~uint64_t{0}) sys(__NR_write, fd, &file.number[0], sizeof file.number[0]);
  return fd;
}

int FileMaker::timer(const OpenFile& file) const {
  constexpr int64_t kSecond = 1'000'000'000;
  constexpr uint64_t kSetTicks = 0x40085400;   // TFD_IOC_SET_TICKS
  const int fd = must(sys(__NR_timerfd_create, file.number[0], O_CLOEXEC), "a timerfd");
  const auto left = static_cast<int64_t>(file.number[2]), interval = static_cast<int64_t>(file.number[3]);
  const int64_t setting[4] = {interval / kSecond, interval % kSecond, left / kSecond, left % kSecond};
  if (left > 0) must(sys(__NR_timerfd_settime, fd, 0, setting, nullptr), "a timerfd");
  if (file.number[1] == 0 || sys(__NR_ioctl, fd, kSetTicks, &file.number[1]) == 0) return fd;
  // This kernel cannot be told that it has expired: it expires now.
  const int64_t at_once[4] = {setting[0], setting[1], 0, 1};
  must(sys(__NR_timerfd_settime, fd, 0, at_once, nullptr), "a timerfd");
  return fd;
}

int FileMaker::signal(const OpenFile& file) const {
  return must(sys(__NR_signalfd4, -1, &file.number[0], 8, O_CLOEXEC), "a signalfd");
}

int FileMaker::epoll() const { return must(sys(__NR_epoll_create1, O_CLOEXEC), "an epoll set"); }

int FileMaker::socket(const OpenFile& file) const {
  constexpr int kReuseAddress = 2, kBacklog = 4096;   // the kernel cuts it to net.core.somaxconn
  const int on = 1;
  const int fd = must(sys(__NR_socket, file.number[0], file.number[1] | O_CLOEXEC, file.number[2]), "a socket");
  if (file.kind == FileKind::kSocket) return fd;
  const uint8_t* const address = view_.data(file.content);
  sys(__NR_setsockopt, fd, kSolSocket, kReuseAddress, &on, sizeof on);
  if (file.number[0] == kUnix && file.content.bytes > 2 && address[2] != 0) {
    char path[image::kMostAddress];
    TextBuffer(path, sizeof path).bytes(reinterpret_cast<const char*>(address + 2), file.content.bytes - 2);
    sys(__NR_unlinkat, AT_FDCWD, path, 0);   // the name that the old socket has left behind
  }
  const int64_t error = sys(__NR_bind, fd, address, file.content.bytes);
  if (error != 0) fail("the program's socket cannot get its address again (error %d): another program may use it now", -error);
  if (file.number[3] != 0) must(sys(__NR_listen, fd, kBacklog), "a listening socket");
  return fd;
}

// Reads end, writes fail with EPIPE: as if the other side had gone.
int FileMaker::dead_end() const {
  int32_t end[2];
  must(sys(__NR_socketpair, kUnix, kStream | O_CLOEXEC, 0, end), "a descriptor");
  sys(__NR_close, end[1]);
  return end[0];
}

int FileMaker::make(uint32_t index) {
  const OpenFile& file = view_.files[index];
  int fd = -1;
  switch (file.kind) {
    case FileKind::kPath:
    case FileKind::kDevice: fd = by_path(file, 0); break;
    case FileKind::kFolder: fd = by_path(file, O_DIRECTORY); break;
    case FileKind::kTerminal: fd = terminal(file); break;
    case FileKind::kLaunchers: return launchers(file);   // its flags are everybody's who has it
    case FileKind::kMemory: fd = memory(file); break;
    case FileKind::kPipe: fd = pipe(index); break;
    case FileKind::kEvent: fd = event(file); break;
    case FileKind::kTimer: fd = timer(file); break;
    case FileKind::kSignal: fd = signal(file); break;
    case FileKind::kEpoll: fd = epoll(); break;
    case FileKind::kListener:
    case FileKind::kSocket: fd = socket(file); break;
    case FileKind::kLost: fd = dead_end(); break;
  }
  if ((file.flags & O_PATH) != 0) return fd;
  if (file.owner != 0) sys(__NR_fcntl, fd, F_SETOWN, file.owner);
  if (file.owner_signal != 0) sys(__NR_fcntl, fd, F_SETSIG, file.owner_signal);
  constexpr uint64_t kChangeable = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC;
  sys(__NR_fcntl, fd, F_SETFL, file.flags & kChangeable);
  return fd;
}

}  // namespace dsm::runtime
