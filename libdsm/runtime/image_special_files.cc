// SPDX-License-Identifier: Apache-2.0
// Descriptors without a name in the file system: what fdinfo and the socket calls say of them.
#include <asm-generic/errno.h>
#include <linux/fcntl.h>

#include "libdsm/runtime/image_files.h"
#include "libdsm/runtime/image_limits.h"
#include "libdsm/runtime/proc_text.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

using image::FileKind;
using image::SectionKind;

uint64_t decimal_field(const char* details, const char* name) {
  const char* at = field_of(details, name);
  return at != nullptr ? parse_decimal(&at) : 0;
}

uint64_t hex_field(const char* details, const char* name) {
  const char* at = field_of(details, name);
  return at != nullptr ? parse_hex(&at) : 0;
}

// "it_value: (SECONDS, NANOSECONDS)"
uint64_t time_field(const char* details, const char* name) {
  const char* at = field_of(details, name);
  if (at == nullptr || *at != '(') return 0;
  const uint64_t seconds = parse_decimal(&++at);
  if (*at == ',') at = skip_blanks(at + 1);
  return seconds * 1'000'000'000 + parse_decimal(&at);
}

// ---- Pipes --------------------------------------------------------------------------------------------------------------

bool both_ends_are_ours(const SeenDescriptor& seen) {
  constexpr int64_t kMost = 1 << 20;
  const bool reads = (sys(__NR_fcntl, seen.fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
  int64_t misses = 0;
  for (int64_t fd = 0; fd < kMost && misses < 4096; fd++) {
    struct stat status;
    if (fd == seen.fd || process().private_fds.is_private(fd)) continue;
    if (is_error(sys(__NR_fstat, fd, &status))) {
      misses++;
      continue;
    }
    misses = 0;
    if (status.st_ino != seen.status.st_ino || status.st_dev != seen.status.st_dev) continue;
    const int64_t mode = sys(__NR_fcntl, fd, F_GETFL) & O_ACCMODE;
    if (mode == O_RDWR || (mode == O_RDONLY) != reads) return true;
  }
  return false;
}

bool describe_pipe(const SeenDescriptor& seen, image::OpenFile& out, ImageBuilder& builder) {
  constexpr int kGetPipeSize = 1032;
  if (!starts_with(seen.name, "pipe:") || !both_ends_are_ours(seen)) return false;
  out.kind = FileKind::kPipe;
  out.number[0] = seen.status.st_ino;
  const int64_t capacity = sys(__NR_fcntl, seen.fd, kGetPipeSize);
  out.number[1] = is_error(capacity) ? 0 : static_cast<uint64_t>(capacity);
  return (out.flags & O_ACCMODE) != O_RDONLY || copy_pipe(seen.fd, &out.content, builder);
}

// ---- Sockets ------------------------------------------------------------------------------------------------------------

uint64_t socket_option(int fd, int option) {
  constexpr int kSolSocket = 1;
  int32_t value = 0;
  uint32_t bytes = sizeof value;
  const int64_t error = sys(__NR_getsockopt, fd, kSolSocket, option, &value, &bytes);
  return is_error(error) ? 0 : static_cast<uint64_t>(value);
}

// Listening and datagram sockets come back at their address; a connection has a peer that cannot be rolled back.
bool describe_socket(const SeenDescriptor& seen, image::OpenFile& out, ImageBuilder& builder) {
  constexpr int kType = 3, kAcceptsConnections = 30, kProtocol = 38, kDomain = 39;
  constexpr uint64_t kUnix = 1, kInet = 2, kInet6 = 10;
  uint8_t peer[image::kMostAddress], own[image::kMostAddress];
  uint32_t peer_bytes = sizeof peer, own_bytes = sizeof own;
  if (sys(__NR_getpeername, seen.fd, peer, &peer_bytes) == 0) return false;
  out.number[0] = socket_option(seen.fd, kDomain);
  out.number[1] = socket_option(seen.fd, kType);
  out.number[2] = socket_option(seen.fd, kProtocol);
  out.number[3] = socket_option(seen.fd, kAcceptsConnections);
  if (out.number[0] != kUnix && out.number[0] != kInet && out.number[0] != kInet6) return false;
  if (is_error(sys(__NR_getsockname, seen.fd, own, &own_bytes)) || own_bytes > sizeof own) return false;
  bool bound = out.number[3] != 0 || (out.number[0] == kUnix ? own_bytes > 2 : own[2] != 0 || own[3] != 0);
  out.kind = bound ? FileKind::kListener : FileKind::kSocket;
  if (bound) out.content = builder.bytes(own, own_bytes);
  return true;
}

}  // namespace

bool copy_pipe(int fd, image::Span* content, ImageBuilder& builder) {
  constexpr uint64_t kHowMuch = 0x541b;   // FIONREAD
  constexpr int kNoBlock = 2, kSetPipeSize = 1031, kGetPipeSize = 1032;
  int32_t waiting = 0;
  if (is_error(sys(__NR_ioctl, fd, kHowMuch, &waiting))) return false;
  if (waiting == 0) return true;
  int32_t end[2];
  if (is_error(sys(__NR_pipe2, end, O_CLOEXEC))) return false;
  sys(__NR_fcntl, end[1], kSetPipeSize, sys(__NR_fcntl, fd, kGetPipeSize));
  const int64_t copied = sys(__NR_tee, fd, end[1], waiting, kNoBlock);
  bool whole = copied == waiting;
  if (whole) {
    *content = builder.room(static_cast<uint64_t>(waiting));
    int64_t done = 0;
    while (done < waiting) {
      const int64_t got = sys(__NR_read, end[0], builder.data(*content) + done, waiting - done);
      if (got <= 0) break;
      done += got;
    }
    whole = done == waiting;
  }
  sys(__NR_close, end[0]);
  sys(__NR_close, end[1]);
  return whole;
}

bool describe_special(const SeenDescriptor& seen, image::OpenFile& out, ImageBuilder& builder) {
  const uint32_t type = seen.status.st_mode & S_IFMT;
  if (type == S_IFIFO) return describe_pipe(seen, out, builder);
  if (type == S_IFSOCK) return describe_socket(seen, out, builder);
  const char* const details = seen.details;
  if (starts_with(seen.name, "anon_inode:[eventfd]")) {
    out.kind = FileKind::kEvent;
    out.number[0] = hex_field(details, "eventfd-count:");
    out.number[1] = decimal_field(details, "eventfd-semaphore:");
    return true;
  }
  if (starts_with(seen.name, "anon_inode:[timerfd]")) {
    out.kind = FileKind::kTimer;
    out.number[0] = decimal_field(details, "clockid:");
    out.number[1] = decimal_field(details, "ticks:");
    out.number[2] = time_field(details, "it_value:");
    out.number[3] = time_field(details, "it_interval:");
    return true;
  }
  if (starts_with(seen.name, "anon_inode:[signalfd]")) {
    out.kind = FileKind::kSignal;
    out.number[0] = hex_field(details, "sigmask:");
    return true;
  }
  if (starts_with(seen.name, "anon_inode:[eventpoll]")) {
    out.kind = FileKind::kEpoll;
    return true;
  }
  return false;
}

// "lock: 1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF", the last two being the first and the last byte.
void add_locks(const SeenDescriptor& seen, uint32_t file, ImageBuilder& builder) {
  for (const char* line = seen.details; line != nullptr; line = next_line(line)) {
    if (!starts_with(line, "lock:")) continue;
    constexpr int kFields = 8;
    const char* field[kFields];
    const char* at = skip_blanks(line + 5);
    int fields = 0;
    while (fields < kFields && *at != 0 && *at != '\n') {
      field[fields++] = at;
      while (*at != ' ' && *at != 0 && *at != '\n') at++;
      at = skip_blanks(at);
    }
    if (fields < kFields) continue;   // a lock that is waited for has an arrow in front
    image::FileLock lock = {};
    lock.file = file;
    lock.kind = starts_with(field[1], "FLOCK")    ? image::LockKind::kFlock
                : starts_with(field[1], "OFDLCK") ? image::LockKind::kOpenFile
                                                  : image::LockKind::kPosix;
    if (lock.kind == image::LockKind::kPosix && !starts_with(field[1], "POSIX")) {
      builder.lose(image::LostKind::kOther, seen.fd, 0, "a lease or another lock that is neither flock nor fcntl");
      continue;
    }
    lock.exclusive = starts_with(field[3], "WRITE") ? 1 : 0;
    lock.start = parse_decimal(&field[6]);
    lock.length = starts_with(field[7], "EOF") ? 0 : parse_decimal(&field[7]) - lock.start + 1;
    builder.add(SectionKind::kLocks, lock);
  }
}

// "tfd:  5 events: 19 data: 5  pos:0 ino:.. sdev:.." A watch may outlive its descriptor, where the open file has another.
void add_watches(const SeenDescriptor& seen, uint32_t file, ImageBuilder& builder) {
  for (const char* line = seen.details; line != nullptr; line = next_line(line)) {
    if (!starts_with(line, "tfd:")) continue;
    const char* at = skip_blanks(line + 4);
    image::EpollWatch watch = {};
    watch.epoll = file;
    watch.number = static_cast<int32_t>(parse_decimal(&at));
    at = skip_blanks(at);
    if (starts_with(at, "events:")) at = skip_blanks(at + 7);
    watch.events = static_cast<uint32_t>(parse_hex(&at));
    at = skip_blanks(at);
    if (starts_with(at, "data:")) at = skip_blanks(at + 5);
    watch.data = parse_hex(&at);
    builder.add(SectionKind::kWatches, watch);
  }
}

}  // namespace dsm::runtime
