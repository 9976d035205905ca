// SPDX-License-Identifier: Apache-2.0
// What this kernel, as configured and for this user, lets us do. Probed once; printed by `--check` and -v.
#pragma once
#include <string>
#include <vector>

namespace dsm::os {

struct KernelFeatures {
  std::string release;              // uname -r
  int userfaultfd_error = 0;        // errno of opening one, 0: open to us
  // required
  bool missing_shmem = false, minor_shmem = false, wp_shmem = false, thread_id = false, exact_address = false;
  bool user_dispatch = false;       // Syscall User Dispatch (5.11)
  bool pidfd = false;
  // optional
  bool continue_wp = false;         // UFFDIO_CONTINUE_MODE_WP (6.4)
  bool io_uring = false;

  bool sufficient() const;
};

// A few dozen microseconds; every probe is undone.
KernelFeatures probe_kernel();

struct FeatureLine {
  enum class Tier { kRequired, kOptional } tier;
  std::string name;
  bool present;
  std::string advice;  // when absent: what is lost, or what fixes it
};
std::vector<FeatureLine> describe(const KernelFeatures&);

}  // namespace dsm::os
