// SPDX-License-Identifier: Apache-2.0
// Files whose content the runtime has to make up: what they say natively is true for the runtime or for one node only.
// Context: handler at the origin.
#pragma once
#include <stdint.h>

namespace dsm::runtime {

// "/proc/self/exe" and its other names: the program, not the runtime.
bool is_own_exe_link(const char* path);

enum class CpuFile : uint32_t { kNone, kList, kCpuInfo, kStat };
// The first byte of a file such as those in /proc/sys; 0 where there is none.
char first_byte_of(const char* path);

// The number in "/proc/self/fd/N" or "/dev/fd/N", -1 for any other path.
int64_t descriptor_of(const char* path);
// `fd` is a folder that lists the descriptors of this process.
bool lists_own_descriptors(int64_t fd);

// /sys/devices/system/cpu/{online,possible,present}, /proc/cpuinfo, /proc/stat.
CpuFile cpu_file(const char* path);

// A descriptor of a file with made-up content for all CPUs of the job, or -errno.
int64_t open_cpu_file(CpuFile file, uint64_t open_flags);

}  // namespace dsm::runtime
