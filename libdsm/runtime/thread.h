// SPDX-License-Identifier: Apache-2.0
// The per-thread block of the runtime: control block at the bottom, one stack above it. The stack is the kernel's
// alternate signal stack of the thread (traps and all signals run there), and shadows and vessel workers run their loops at its
// top. Blocks are aligned to their size, so the current one follows from the stack pointer: no TLS register is used,
// FS and GS belong to the program.
//
// Invariants
//  1. A thread runs on the stack of its own block whenever it executes runtime code (except the first instructions of
//     the process, before the first block exists).
//  2. A block is handed out again only when `in_use` is 0 and the kernel has cleared `kernel_tid` (CLONE_CHILD_CLEARTID),
//     so no kernel thread is on its stack any more. Blocks are never unmapped.
//  3. Fields are written by the thread itself unless noted.
#pragma once
#include "libdsm/runtime/lock.h"
#include "libdsm/runtime/runtime_layout.h"
#include "libdsm/runtime/thread_remote.h"
#include "libdsm/runtime/thread_signals.h"

namespace dsm::runtime {

inline constexpr uint64_t kThreadBytes = 128 << 10;
inline constexpr uint32_t kMaxThreads = abi::kBoardSlots;

// 1024 CPUs, as glibc's cpu_set_t.
struct CpuSet {
  uint64_t word[16];
};

struct alignas(64) Thread {
  uint64_t canary;              // kCanary while intact: the stack grows down to here
  uint32_t index;               // of the block, and of the slot on the thread board
  uint32_t in_use;              // taken from the pool; cleared by the thread's own last act (release)
  int32_t tid;                  // the program's tid
  int32_t kernel_tid;           // of this kernel thread; the kernel clears it when the thread is gone
  uint64_t fs_base;             // the program's FS, where the thread does not run now (frame elsewhere, not started yet)
  abi::ThreadSlot* board;
  CpuSet affinity;              // what sched_setaffinity said; all virtual CPUs at first
  ThreadSignals signals;        // thread_signals.h
  ThreadRemote remote;          // thread_remote.h

  static constexpr uint64_t kCanary = 0x6473'6d5f'7468'7264;
  uint64_t stack_bottom() const { return reinterpret_cast<uint64_t>(this) + ((sizeof(Thread) + 63) & ~63ull); }
  uint64_t stack_top() const { return reinterpret_cast<uint64_t>(this) + kThreadBytes - 64; }
};
static_assert(sizeof(Thread) <= kThreadBytes / 2);

inline Thread& current_thread() {
  uint64_t sp;
  asm("mov %%rsp, %0" : "=r"(sp));
  return *reinterpret_cast<Thread*>(sp & ~(kThreadBytes - 1));
}

class ThreadPool {
 public:
  // A block with everything zero but canary, index, in_use, board and affinity; nullptr when kMaxThreads are in use.
  Thread* take();
  // By the last code of a thread, or for one that was never started. The block is free once kernel_tid is 0, too.
  static void give_back(Thread& thread);
  // Blocks ever handed out; at(i) for i below it is valid memory for ever.
  uint32_t high_water() const { return __atomic_load_n(&high_water_, __ATOMIC_ACQUIRE); }
  static Thread& at(uint32_t index) { return *reinterpret_cast<Thread*>(kThreadArea + index * kThreadBytes); }
  // The thread of the program with this tid, or nullptr. The answer may be stale at once.
  Thread* find(int32_t tid);
  // All virtual CPUs; set before the first take().
  CpuSet default_affinity = {};
  Lock& lock() { return lock_; }

 private:
  Lock lock_;                  // guards take()
  uint32_t high_water_ = 0;
};

}  // namespace dsm::runtime
