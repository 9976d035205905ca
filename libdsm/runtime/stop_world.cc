// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/stop_world.h"

#include <linux/futex.h>

#include "libdsm/runtime/atomics.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kPauseNs = 50'000;
constexpr uint64_t kDeadlineNs = 5'000'000'000;

bool runs_program_here(const Thread& thread) {
  return __atomic_load_n(&thread.in_use, __ATOMIC_ACQUIRE) != 0 && load_ordered(thread.remote.kind) == ThreadKind::kProgram &&
         __atomic_load_n(&thread.kernel_tid, __ATOMIC_ACQUIRE) > 0;
}

uint32_t still_running(const Thread& self, bool signal_them) {
  const uint32_t count = process().threads.high_water();
  uint32_t running = 0;
  for (uint32_t i = 0; i < count; i++) {
    Thread& thread = ThreadPool::at(i);
    if (&thread == &self || !runs_program_here(thread)) continue;
    if (__atomic_load_n(&thread.signals.parked, __ATOMIC_SEQ_CST) != 0) continue;
    if (__atomic_load_n(&thread.signals.in_kernel, __ATOMIC_SEQ_CST) != 0) continue;
    running++;
    if (signal_them) sys(__NR_tgkill, sys(__NR_getpid), thread.kernel_tid, abi::kSignalStop);
  }
  return running;
}

}  // namespace

void stop_local_threads(const Thread& self) {
  uint32_t& request = process().remote.stop_request;
  __atomic_store_n(&request, 1, __ATOMIC_SEQ_CST);
  still_running(self, true);
  const uint64_t pause[2] = {0, kPauseNs};
  for (uint64_t waited = 0; still_running(self, false) != 0; waited += kPauseNs) {
    // A thread that is being created just now has not seen a signal: ask again every now and then.
    if (waited % (20 * kPauseNs) == 0) still_running(self, true);
    if (waited > kDeadlineNs) fail("BUG: the program's threads do not stop for a fork");
    sys(__NR_nanosleep, pause, nullptr);
  }
}

void release_local_threads() {
  uint32_t& request = process().remote.stop_request;
  __atomic_store_n(&request, 0, __ATOMIC_SEQ_CST);
  sys(__NR_futex, &request, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

// A thread that is asked to stop parks before the call, so that the stop signal, which comes to threads outside of calls only,
// never interrupts one: an interrupted transfer of bytes would be seen.
void enter_kernel(Thread& thread) {
  for (;;) {
    __atomic_store_n(&thread.signals.in_kernel, 1, __ATOMIC_SEQ_CST);   // before the look at the request
    if (thread.remote.kind != ThreadKind::kProgram) return;
    if (__atomic_load_n(&process().remote.stop_request, __ATOMIC_SEQ_CST) == 0) return;
    __atomic_store_n(&thread.signals.in_kernel, 0, __ATOMIC_SEQ_CST);
    park_until_released(thread);
  }
}

void leave_kernel(Thread& thread) {
  __atomic_store_n(&thread.signals.in_kernel, 0, __ATOMIC_SEQ_CST);   // before the look at the request
  if (thread.remote.kind == ThreadKind::kProgram &&
      __atomic_load_n(&process().remote.stop_request, __ATOMIC_SEQ_CST) != 0)
    park_until_released(thread);
}

void begin_program(Thread& thread) {
  store_ordered(thread.remote.kind, ThreadKind::kProgram);   // before the look at the request: whoever asks sees it, or is seen
  if (__atomic_load_n(&process().remote.stop_request, __ATOMIC_SEQ_CST) != 0) park_until_released(thread);
}

void park_until_released(Thread& thread) {
  uint32_t& request = process().remote.stop_request;
  do {
    __atomic_store_n(&thread.signals.parked, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&request, __ATOMIC_SEQ_CST) != 0) sys(__NR_futex, &request, FUTEX_WAIT_PRIVATE, 1, nullptr);
    __atomic_store_n(&thread.signals.parked, 0, __ATOMIC_SEQ_CST);
    // The next fork may have begun before that store and have counted this thread as parked still: then its request is seen here.
  } while (__atomic_load_n(&request, __ATOMIC_SEQ_CST) != 0);
}

}  // namespace dsm::runtime
