// SPDX-License-Identifier: Apache-2.0
// A futex mutex for runtime code.
//
// Context: ordinary runtime code (trap handler, shadow, service threads), never an asynchronous signal handler that may
// have interrupted runtime code: such a handler only records what came and returns (signals.h), which is why a
// holder can never be interrupted by somebody who wants the same lock. Faults on program memory are allowed while holding:
// the agent that serves them never waits for the runtime.
// Lock order, outermost first: exec, fork, memory (ProgramMap), files, threads, control.
#pragma once
#include <linux/futex.h>

#include "libdsm/runtime/sys.h"

namespace dsm::runtime {

class Lock {
 public:
  constexpr Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() {
    uint32_t seen = kFree;
    if (__atomic_compare_exchange_n(&word_, &seen, kHeld, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    while (__atomic_exchange_n(&word_, kContended, __ATOMIC_ACQUIRE) != kFree)
      sys(__NR_futex, &word_, FUTEX_WAIT_PRIVATE, kContended, nullptr);
  }
  void unlock() {
    if (__atomic_exchange_n(&word_, kFree, __ATOMIC_RELEASE) == kContended)
      sys(__NR_futex, &word_, FUTEX_WAKE_PRIVATE, 1);
  }
  bool try_lock() {
    uint32_t seen = kFree;
    return __atomic_compare_exchange_n(&word_, &seen, kHeld, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
  }
  // In the child of a fork, whose other threads are gone.
  void reset_after_fork() { __atomic_store_n(&word_, kFree, __ATOMIC_RELAXED); }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;
  uint32_t word_ = kFree;
};

class LockGuard {
 public:
  explicit LockGuard(Lock& lock) : lock_(lock) { lock_.lock(); }
  ~LockGuard() { lock_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  Lock& lock_;
};

}  // namespace dsm::runtime
