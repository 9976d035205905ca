// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/userfault.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>
#include <linux/ioctl.h>
#include <linux/memfd.h>
#include <linux/resource.h>
#include <linux/userfaultfd.h>

#include "libdsm/runtime/abi.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/sys.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kFeatures = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
                               UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_EXACT_ADDRESS;
// _IO(0xAA, 0x00); the name is missing in headers before 6.1.
constexpr uint64_t kIocNew = 0xAA00;
constexpr uint32_t kMemfdExec = 0x10;   // MFD_EXEC, since 6.3

int64_t new_userfault(int64_t* device_error) {
  int64_t fd = sys(__NR_openat, AT_FDCWD, "/dev/userfaultfd", O_RDWR | O_CLOEXEC);
  *device_error = fd;
  if (!is_error(fd)) {
    const int64_t device = fd;
    fd = sys(__NR_ioctl, device, kIocNew, O_CLOEXEC | O_NONBLOCK);
    sys(__NR_close, device);
  }
  return is_error(fd) ? sys(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK) : fd;
}

}  // namespace

bool userfault_is_allowed() {
  int64_t device_error;
  const int64_t fd = new_userfault(&device_error);
  if (!is_error(fd)) sys(__NR_close, fd);
  return !is_error(fd);
}

int open_userfault() {
  int64_t device_error;
  const int64_t fd = new_userfault(&device_error);
  if (is_error(fd))
    fail("needed: page faults that also a system call may cause, from userfaultfd. Found: /dev/userfaultfd %s (error %d), the "
         "system call refused (error %d). Remedy: join the group of the device (see README, 'Ordinary users'), or as root: "
         "chmod 666 /dev/userfaultfd",
         device_error == -ENOENT ? "is missing" : "cannot be opened", is_error(device_error) ? -device_error : 0, -fd);
  uffdio_api api = {};
  api.api = UFFD_API;
  api.features = kFeatures;
  if (const int64_t error = sys(__NR_ioctl, fd, UFFDIO_API, &api); is_error(error))
    fail("needed: userfaultfd with minor faults and write protection on shared memory, exact addresses and thread ids (Linux "
         "5.19 or later). Found: features %x are not offered (error %d). Remedy: a newer kernel", kFeatures, -error);
  return static_cast<int>(fd);
}

int open_memory_file() {
  int64_t fd = sys(__NR_memfd_create, "dsm", MFD_CLOEXEC | kMemfdExec);
  if (fd == -EINVAL) fd = sys(__NR_memfd_create, "dsm", MFD_CLOEXEC);
  if (is_error(fd)) fail("memfd_create: error %d", -fd);
  // The size is address space, not bytes on a disk: a limit on file sizes is lifted for this one call.
  struct {
    uint64_t soft, hard;
  } limit = {}, lifted;
  RT_MUST(sys(__NR_prlimit64, 0, RLIMIT_FSIZE, nullptr, &limit));
  lifted = {limit.hard, limit.hard};
  sys(__NR_prlimit64, 0, RLIMIT_FSIZE, &lifted, nullptr);
  if (limit.hard < abi::kUserEnd)
    fail("the hard limit on file sizes is %d bytes; it also binds shared memory (remedy: ulimit -Hf unlimited)", limit.hard);
  RT_MUST(sys(__NR_ftruncate, fd, abi::kUserEnd));
  sys(__NR_prlimit64, 0, RLIMIT_FSIZE, &limit, nullptr);
  return static_cast<int>(fd);
}

}  // namespace dsm::runtime
