// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/arena.h"

#include <linux/mman.h>

#include "libdsm/runtime/runtime_log.h"

namespace dsm::runtime {

uint64_t Arena::take_addresses(uint64_t bytes) {
  bytes = page_up(bytes);
  const uint64_t start = __atomic_fetch_add(&next_, bytes, __ATOMIC_RELAXED);
  RT_CHECK(bytes <= kArenaEnd - kArenaBegin && start <= kArenaEnd - bytes);
  return start;
}

void* Arena::take(uint64_t bytes) {
  bytes = page_up(bytes);
  const uint64_t start = take_addresses(bytes);
  const int64_t result = sys(__NR_mmap, start, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (result != static_cast<int64_t>(start)) fail("no memory for %d bytes of the runtime's own (error %d)", bytes, -result);
  return reinterpret_cast<void*>(start);
}

void Arena::give_back(void* start, uint64_t bytes) { RT_MUST(sys(__NR_munmap, start, page_up(bytes))); }

}  // namespace dsm::runtime
