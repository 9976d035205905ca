// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/image_stop.h"

#include <asm-generic/errno.h>
#include <linux/futex.h>

#include "libdsm/runtime/atomics.h"
#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/image_writer.h"
#include "libdsm/runtime/migrate.h"
#include "libdsm/runtime/placement.h"
#include "libdsm/runtime/register_frame.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kPauseNs = 200'000;
constexpr uint64_t kDeadlineNs = 10'000'000'000;

ImageStop& stop_state() { return process().remote.image_stop; }

ImageStop::Phase phase() { return load_ordered(stop_state().phase); }

void enter_phase(ImageStop::Phase next) {
  ImageStop& stop = stop_state();
  store_ordered(stop.phase, next);
  sys(__NR_futex, &stop.phase, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

bool is_in_use(const Thread& thread) { return __atomic_load_n(&thread.in_use, __ATOMIC_ACQUIRE) != 0; }

// By way of its slot on the board, as the agent asks (migrate.h).
void call_home(const Thread& thread) {
  if (thread.board == nullptr || board::has_request(thread)) return;
  __atomic_store_n(&thread.board->move_request, abi::move_request(static_cast<uint32_t>(thread.tid), 0), __ATOMIC_SEQ_CST);
}

// The first thread that has not come to `wanted`, or nullptr. A thread that has just been made counts, too: its kernel_tid is
// -1 until the kernel has started it.
const Thread* who_is_missing(const Thread& self, ThreadSignals::ImageState wanted, bool kick) {
  const uint32_t count = process().threads.high_water();
  const Thread* missing = nullptr;
  for (uint32_t i = 0; i < count; i++) {
    const Thread& thread = ThreadPool::at(i);
    if (&thread == &self || !is_in_use(thread) || load_ordered(thread.signals.image_state) == wanted) continue;
    if (missing == nullptr) missing = &thread;
    const int32_t kernel_tid = __atomic_load_n(&thread.kernel_tid, __ATOMIC_ACQUIRE);
    if (!kick || kernel_tid <= 0) continue;
    if (load_ordered(thread.remote.kind) == ThreadKind::kShadow) call_home(thread);
    sys(__NR_tgkill, sys(__NR_getpid), kernel_tid, abi::kSignalKick);
  }
  return missing;
}

void pause() {
  const uint64_t time[2] = {0, kPauseNs};
  sys(__NR_nanosleep, time, nullptr);
}

// start_frame(thread) is complete.
void wait_for_release(Thread& thread) {
  // From here on the program's signals wait in the kernel; those of a fork and kicks still interrupt.
  const uint64_t mask = exchange_kernel_mask(~(kSynchronousSignals | kReservedSignals));
  ImageStop& stop = stop_state();
  do {
    store_ordered(thread.signals.image_state, ThreadSignals::ImageState::kParked);
    ImageStop::Phase seen;
    while ((seen = phase()) != ImageStop::Phase::kNone) {
      // Released and stopped again before it looked.
      if (seen == ImageStop::Phase::kPark) store_ordered(thread.signals.image_state, ThreadSignals::ImageState::kParked);
      if (seen == ImageStop::Phase::kReport && load_ordered(thread.signals.image_state) == ThreadSignals::ImageState::kParked) {
        add_thread(thread, *stop.builder);
        store_ordered(thread.signals.image_state, ThreadSignals::ImageState::kReported);
      }
      sys(__NR_futex, &stop.phase, FUTEX_WAIT_PRIVATE, static_cast<uint32_t>(seen), nullptr);
    }
    store_ordered(thread.signals.image_state, ThreadSignals::ImageState::kRunning);
    // The next stop may have begun before that store and have counted this thread as parked still: then it is seen here.
  } while (phase() != ImageStop::Phase::kNone);
  exchange_kernel_mask(mask);
}

// A request to come home that came after the thread was on its way is over with the stop.
bool goes_back(Thread& thread) {
  const uint32_t asked = board::take_request(thread);
  if (asked != board::kNoNode && asked != 0 && asked < process().welcome.nodes) thread.remote.called_from = asked;
  return thread.remote.called_from != 0 && !is_drained(thread.remote.called_from);
}

}  // namespace

int64_t stop_for_image(const Thread& self) {
  ImageStop::Phase none = ImageStop::Phase::kNone;
  if (!__atomic_compare_exchange_n(&stop_state().phase, &none, ImageStop::Phase::kPark, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return -EBUSY;
  for (uint64_t waited = 0;; waited += kPauseNs) {
    // Kicked again now and then: one that stood in the vdso goes on to where it may be stopped.
    const Thread* missing = who_is_missing(self, ThreadSignals::ImageState::kParked, waited % (5 * kPauseNs) == 0);
    if (missing == nullptr) return 0;
    if (waited > kDeadlineNs) {
      log("no image of the process: thread %d does not stop", missing->tid);
      release_from_image();
      return -ETIMEDOUT;
    }
    pause();
  }
}

void add_parked_threads(const Thread& self, ImageBuilder& builder) {
  stop_state().builder = &builder;
  enter_phase(ImageStop::Phase::kReport);
  for (uint64_t waited = 0;; waited += kPauseNs) {
    const Thread* missing = who_is_missing(self, ThreadSignals::ImageState::kReported, false);
    if (missing == nullptr) return;
    if (waited > kDeadlineNs) fail("BUG: thread %d stopped for an image but does not report", missing->tid);
    pause();
  }
}

void release_from_image() { enter_phase(ImageStop::Phase::kNone); }

void park_for_image(Thread& thread, const UserContext& user) {
  if (phase() == ImageStop::Phase::kNone || !may_move_at(user)) return;
  capture_frame(start_frame(thread), user);
  wait_for_release(thread);
  if (goes_back(thread)) leave_origin(thread, user, thread.remote.called_from);
}

void park_at_home(Thread& thread, uint32_t from) {
  if (phase() == ImageStop::Phase::kNone) return;
  thread.remote.called_from = from;
  if (!may_move_at(start_frame(thread).context)) return;   // it parks a few instructions later, being kicked again
  wait_for_release(thread);
  if (goes_back(thread)) become_shadow(thread, thread.remote.called_from);
}

}  // namespace dsm::runtime
