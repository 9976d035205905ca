// SPDX-License-Identifier: Apache-2.0
#include <linux/mman.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/thread.h"

namespace dsm::runtime {

Thread* ThreadPool::take() {
  LockGuard guard(lock_);
  Thread* found = nullptr;
  for (uint32_t i = 0; i < high_water_ && found == nullptr; i++) {
    Thread& thread = at(i);
    // Pairs with the release in give_back and the kernel's store of 0 to kernel_tid at the thread's very end.
    if (__atomic_load_n(&thread.in_use, __ATOMIC_ACQUIRE) == 0 &&
        __atomic_load_n(&thread.kernel_tid, __ATOMIC_ACQUIRE) == 0)
      found = &thread;
  }
  if (found == nullptr) {
    if (high_water_ == kMaxThreads) return nullptr;
    found = &at(high_water_);
    const int64_t result = sys(__NR_mmap, found, kThreadBytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (is_error(result)) return nullptr;
    __atomic_store_n(&high_water_, high_water_ + 1, __ATOMIC_RELEASE);
  }
  const uint32_t index = static_cast<uint32_t>((reinterpret_cast<uint64_t>(found) - kThreadArea) / kThreadBytes);
  memset(found, 0, sizeof *found);
  found->canary = Thread::kCanary;
  found->index = index;
  found->affinity = default_affinity;
  found->board = process().board != nullptr ? &process().board->slot[index] : nullptr;
  __atomic_store_n(&found->in_use, 1, __ATOMIC_RELEASE);
  return found;
}

void ThreadPool::give_back(Thread& thread) {
  RT_CHECK(thread.canary == Thread::kCanary);
  __atomic_store_n(&thread.in_use, 0, __ATOMIC_RELEASE);
}

Thread* ThreadPool::find(int32_t tid) {
  const uint32_t count = high_water();
  for (uint32_t i = 0; i < count; i++) {
    Thread& thread = at(i);
    if (__atomic_load_n(&thread.in_use, __ATOMIC_ACQUIRE) != 0 && thread.tid == tid) return &thread;
  }
  return nullptr;
}

}  // namespace dsm::runtime
