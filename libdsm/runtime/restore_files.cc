// SPDX-License-Identifier: Apache-2.0
// The descriptors of a restored process: each open file is made once, under a number of the runtime's own, then put at all the
// program's numbers that stand for it. FileMaker (restore_file_kinds.cc) knows the kinds.
#include "libdsm/runtime/restore_files.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>
#include <linux/resource.h>

#include "libdsm/runtime/image_limits.h"
#include "libdsm/runtime/kernel_limits.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {
namespace {

constexpr int kStandard = 3;

void close_inherited() {
  const PrivateFds& hidden = process().private_fds;
  for (int64_t at = 0; at <= INT32_MAX;) {
    const int64_t next = hidden.next_private(at);
    const int64_t stop = next < 0 ? int64_t{INT32_MAX} + 1 : next;
    if (stop > at) RT_MUST(sys(__NR_close_range, at, stop - 1, 0));
    at = stop + 1;
  }
}

void place(const image::View& view, uint32_t file, int fd) {
  for (const image::Descriptor& number : view.numbers) {
    if (number.file != file) continue;
    if (process().private_fds.is_private(number.number))
      fail("the program's descriptor %d is a number that the runtime needs here: the hard limit of open files is another one than it was",
           number.number);
    const int64_t error = sys(__NR_dup3, fd, number.number, number.close_on_exec != 0 ? O_CLOEXEC : 0);
    if (is_error(error)) fail("cannot restore descriptor %d (error %d); the hard limit of open files may be too low", number.number, -error);
  }
}

void add_watches(const image::View& view) {
  constexpr int kAdd = 1;
  for (const image::EpollWatch& watch : view.watches) {
    int64_t set = -1;
    for (const image::Descriptor& number : view.numbers)
      if (number.file == watch.epoll) set = number.number;
    if (set < 0) continue;
    struct __attribute__((packed)) {
      uint32_t events;
      uint64_t data;
    } event = {watch.events, watch.data};
    const int64_t error = sys(__NR_epoll_ctl, set, kAdd, watch.number, &event);
    if (error != 0) log("not restored: descriptor %d in the epoll set %d (error %d)", watch.number, set, -error);
  }
}

int64_t lock_again(const image::FileLock& lock, int64_t fd) {
  constexpr int kShared = 1, kExclusive = 2, kNoWait = 4, kSetOpenFileLock = 37;
  if (lock.kind == image::LockKind::kFlock) return sys(__NR_flock, fd, kNoWait | (lock.exclusive != 0 ? kExclusive : kShared));
  struct {
    int16_t type, whence;
    int32_t pad;
    int64_t start, length;
    int32_t pid, pad2;
  } request = {static_cast<int16_t>(lock.exclusive != 0 ? F_WRLCK : F_RDLCK), 0, 0, static_cast<int64_t>(lock.start),
               static_cast<int64_t>(lock.length), 0, 0};
  return sys(__NR_fcntl, fd, lock.kind == image::LockKind::kPosix ? F_SETLK : kSetOpenFileLock, &request);
}

// Last: closing any descriptor of a file drops the process's locks on it.
void take_locks(const image::View& view) {
  for (const image::FileLock& lock : view.locks) {
    int64_t fd = -1;
    for (const image::Descriptor& number : view.numbers)
      if (number.file == lock.file) fd = number.number;
    const int64_t error = lock_again(lock, fd);
    if (error != 0) fail("the program had %s locked (descriptor %d); now another process has it, or the file is another one (error %d)",
                         view.text(view.files[lock.file].path), fd, -error);
  }
}

}  // namespace

void restore_files(const image::View& view) {
  const ResourceLimit limit = resource_limit(RLIMIT_NOFILE);
  RT_MUST(set_resource_limit(RLIMIT_NOFILE, {limit.hard, limit.hard}));   // the program's own limit comes afterwards
  FileMaker maker(view);
  PrivateFds& hidden = process().private_fds;
  for (int fd = 0; fd < kStandard; fd++) maker.standard[fd] = static_cast<int>(hidden.duplicate(fd));
  close_inherited();
  for (uint32_t i = 0; i < view.files.count; i++) {
    const int fd = hidden.adopt(maker.make(i));
    place(view, i, fd);
    hidden.close(fd);
  }
  for (const int fd : maker.standard)
    if (fd >= 0) hidden.close(fd);
  add_watches(view);
  take_locks(view);
}

}  // namespace dsm::runtime
