// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/kernel_features.h"

#include <cerrno>
#include <cstring>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "libdsm/os/memfd.h"
#include "libdsm/os/process.h"
#include "libdsm/os/uffd.h"

namespace dsm::os {
namespace {

constexpr uint64_t kProbeBytes = 4096;

// There is no feature bit for it: map one page of our own write-protected and see.
bool probe_continue_wp(Fd uffd) {
  Memfd memfd = Memfd::create("dsm-probe", kProbeBytes);
  if (!memfd.valid()) return false;
  std::byte one{1};
  if (memfd.write(0, {&one, 1}) != 0) return false;
  void* at = ::mmap(nullptr, kProbeBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd.fd(), 0);
  if (at == MAP_FAILED) return false;
  auto address = reinterpret_cast<uint64_t>(at);
  Uffd probe(std::move(uffd), true);
  uint64_t done = 0;
  bool ok = probe.register_range(address, kProbeBytes, Uffd::Mode::kTracked) == 0 &&
            probe.map(address, kProbeBytes, true, &done) == 0;
  ::munmap(at, kProbeBytes);
  return ok;
}

bool probe_user_dispatch() {
#ifndef PR_SET_SYSCALL_USER_DISPATCH
  constexpr int PR_SET_SYSCALL_USER_DISPATCH = 59;
#endif
  return ::prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0) == 0;
}

bool probe_io_uring() {
  // A null parameter block is refused after the permission check: EFAULT means that rings may be made.
  return ::syscall(SYS_io_uring_setup, 1, nullptr) < 0 && errno == EFAULT;
}

}  // namespace

bool KernelFeatures::sufficient() const {
  return userfaultfd_error == 0 && missing_shmem && minor_shmem && wp_shmem && thread_id && exact_address &&
         user_dispatch && pidfd;
}

KernelFeatures probe_kernel() {
  KernelFeatures f;
  utsname name;
  if (::uname(&name) == 0) f.release = name.release;
  uint64_t bits = 0;
  Fd uffd = open_own_uffd(&bits, &f.userfaultfd_error);
  f.missing_shmem = bits & UFFD_FEATURE_MISSING_SHMEM;
  f.minor_shmem = bits & UFFD_FEATURE_MINOR_SHMEM;
  f.wp_shmem = bits & UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
  f.thread_id = bits & UFFD_FEATURE_THREAD_ID;
  f.exact_address = bits & UFFD_FEATURE_EXACT_ADDRESS;
  f.user_dispatch = probe_user_dispatch();
  f.pidfd = static_cast<bool>(open_pidfd(own_pid()));
  f.io_uring = probe_io_uring();
  if (uffd) f.continue_wp = probe_continue_wp(std::move(uffd));
  return f;
}

std::vector<FeatureLine> describe(const KernelFeatures& f) {
  using Tier = FeatureLine::Tier;
  std::vector<FeatureLine> lines;
  auto required = [&](std::string what, bool ok, std::string advice) {
    lines.push_back({Tier::kRequired, std::move(what), ok, std::move(advice)});
  };
  auto optional = [&](std::string what, bool ok, std::string advice) {
    lines.push_back({Tier::kOptional, std::move(what), ok, std::move(advice)});
  };
  required("userfaultfd", f.userfaultfd_error == 0,
           std::string("cannot open /dev/userfaultfd: ") + std::strerror(f.userfaultfd_error) +
               "; join the group that may (udev rule of this package), or have vm.unprivileged_userfaultfd set");
  const std::string newer = "needs Linux 6.1 with CONFIG_USERFAULTFD, found " + f.release;
  if (f.userfaultfd_error == 0) {  // else what it can do is not known
    required("userfaultfd: missing pages of shared memory", f.missing_shmem, newer);
    required("userfaultfd: minor faults of shared memory", f.minor_shmem, newer);
    required("userfaultfd: write protection of shared memory", f.wp_shmem, newer);
    required("userfaultfd: thread ids", f.thread_id, newer);
    required("userfaultfd: exact addresses", f.exact_address, newer);
  }
  required("syscall user dispatch", f.user_dispatch, "needs Linux 5.11 on x86-64 with CONFIG_GENERIC_ENTRY, found " + f.release);
  required("pidfd", f.pidfd, "needs Linux 5.3, found " + f.release);
  if (f.userfaultfd_error == 0)
    optional("userfaultfd: map write-protected in one step", f.continue_wp,
             "before Linux 6.4 a page that arrives for reading is writable for an instant (found " + f.release +
                 "): a racy store by another thread may be lost");
  optional("io_uring", f.io_uring, "sockets are served by epoll, a little slower (kernel.io_uring_disabled?)");
  return lines;
}

}  // namespace dsm::os
