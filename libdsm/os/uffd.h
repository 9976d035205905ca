// SPDX-License-Identifier: Apache-2.0
// Uffd: the userfaultfd of another process (the runtime creates it and passes it here). Every call acts on that
// process's address space. Owner-thread only.
//
// All operations return 0 or -errno. -ESRCH: the process is exiting. -ENOENT: the range is not mapped (any more) or
// not registered. Ranges are page aligned.
#pragma once
#include <cstdint>
#include <span>

#include "libdsm/base/ids.h"
#include "libdsm/os/fd.h"

namespace dsm::os {

// The features that a runtime asks for when it opens its userfaultfd; one without them is refused at Hello.
uint64_t required_uffd_features();

struct FaultEvent {
  uint64_t address;      // exact, not rounded to a page
  ThreadId thread;       // kernel tid in the faulting process
  bool write;            // the access (also set for write-protect faults)
  bool write_protected;  // the page is mapped, write-protected
};

class Uffd {
 public:
  Uffd() = default;
  // `continue_wp`: the kernel knows UFFDIO_CONTINUE_MODE_WP (kernel_features.h).
  Uffd(Fd fd, bool continue_wp) : fd_(std::move(fd)), continue_wp_(continue_wp) {}

  int fd() const { return fd_.get(); }
  bool valid() const { return static_cast<bool>(fd_); }

  // Number of events read without blocking; 0 if there are none; -errno.
  int read_events(std::span<FaultEvent> events);

  enum class Mode : uint8_t { kNative, kTracked };  // MINOR|WP; MISSING|MINOR|WP
  int register_range(uint64_t start, uint64_t length, Mode mode);
  int unregister_range(uint64_t start, uint64_t length);

  // Maps pages that are in the memfd, and wakes. `*done`: bytes mapped before an error (-EEXIST: already mapped,
  // -EFAULT: a hole). Without continue_wp a write-protected mapping takes three calls, and in between another thread
  // of the process can write unseen (facts of Linux before 6.4).
  int map(uint64_t start, uint64_t length, bool write_protect, uint64_t* done);
  // Allocates and maps zero pages, writable, and wakes. -EEXIST: the page is in the memfd already.
  int zero_fill(uint64_t start, uint64_t length, uint64_t* done);
  int write_protect(uint64_t start, uint64_t length, bool on);  // off also wakes
  int wake(uint64_t start, uint64_t length);

 private:
  int continue_range(uint64_t start, uint64_t length, uint64_t mode, uint64_t* done);

  Fd fd_;
  bool continue_wp_ = false;
};

// A userfaultfd of this process with the required features: /dev/userfaultfd, else the system call.
// Fd{} and the errno of the better way in `*error` when neither is open to us. `*features` is what the kernel has.
Fd open_own_uffd(uint64_t* features, int* error);

}  // namespace dsm::os
