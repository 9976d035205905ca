// SPDX-License-Identifier: Apache-2.0
// What the kernel says of this process's limits and of its machine, in the kernel's own layout. Any context.
#pragma once
#include "libdsm/runtime/sys.h"

namespace dsm::runtime {

struct ResourceLimit {   // struct rlimit64
  uint64_t soft, hard;
};
inline constexpr uint64_t kNoLimit = ~uint64_t{0};   // RLIM64_INFINITY

// The limit of this process; no limit where the kernel knows none of that name.
inline ResourceLimit resource_limit(int which) {
  ResourceLimit limit = {kNoLimit, kNoLimit};
  sys(__NR_prlimit64, 0, which, nullptr, &limit);
  return limit;
}
// 0 or -errno.
inline int64_t set_resource_limit(int which, const ResourceLimit& limit) { return sys(__NR_prlimit64, 0, which, &limit, nullptr); }

struct KernelSysinfo {   // struct sysinfo
  int64_t uptime;
  uint64_t loads[3], total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
  uint16_t processes, pad;
  uint64_t total_high, free_high;
  uint32_t unit;
};
static_assert(sizeof(KernelSysinfo) == 112);

}  // namespace dsm::runtime
