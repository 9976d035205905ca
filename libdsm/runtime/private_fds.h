// SPDX-License-Identifier: Apache-2.0
// Descriptors of the runtime in the program's file table: moved to high numbers, close-on-exec, remembered exactly, so
// that close, close_range, dup2 and fcntl of the program can be kept off them. The program's RLIMIT_NOFILE may lie below.
//
// Context: as lock.h; is_private() any context.
#pragma once
#include "libdsm/runtime/lock.h"

namespace dsm::runtime {

class PrivateFds {
 public:
  // What initialise() needs of the hard limit of open files.
  static constexpr uint64_t kLeastHardLimit = 512;
  // Chooses the numbers by the hard limit. Before any other call.
  void initialise();
  // Moves `fd` into the private numbers and returns the new number; `fd` is closed. Ends the process when there is none.
  int adopt(int fd);
  // As adopt, but `fd` stays open and -errno is an answer.
  int64_t duplicate(int fd);
  void close(int fd);
  bool is_private(int64_t fd) const {
    return fd >= base_ && fd < base_ + kCapacity &&
           (__atomic_load_n(&used_[(fd - base_) / 64], __ATOMIC_RELAXED) >> ((fd - base_) % 64) & 1) != 0;
  }
  // The lowest private number in use that is >= fd, or -1.
  int64_t next_private(int64_t fd) const;
  // In a forked child that goes on as an ordinary process.
  void close_all() { close_all_but(-1); }
  void close_all_but(int kept);
  Lock& lock() { return lock_; }

 private:
  static constexpr int64_t kCapacity = 16384;
  Lock lock_;
  int64_t base_ = 0;
  uint64_t used_[kCapacity / 64] = {};
};

}  // namespace dsm::runtime
