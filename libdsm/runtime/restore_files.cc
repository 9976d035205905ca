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
}

}  // namespace dsm::runtime
