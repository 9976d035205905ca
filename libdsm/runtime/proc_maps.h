// SPDX-License-Identifier: Apache-2.0
// /proc/self/maps and smaps as the program has to see them: its ranges with its rights, files and names, nothing of the runtime.
// Debuggers aside, language runtimes, collectors and sanitizers read it to find their stacks and what they may scan.
// Context: handler at the origin; takes the memory lock.
#pragma once
#include <stdint.h>

namespace dsm::runtime {

enum class MapsFile : uint32_t { kNone, kMaps, kSmaps };
// /proc/{self,thread-self,PID}[/task/TID]/{maps,smaps} of this process.
MapsFile own_maps_file(const char* path);
// A descriptor of what it says at this moment, or -errno.
int64_t open_own_maps(MapsFile file, uint64_t open_flags);

}  // namespace dsm::runtime
