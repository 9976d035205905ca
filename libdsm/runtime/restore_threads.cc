// SPDX-License-Identifier: Apache-2.0
// The threads of a restored process, each with its old id. All are made first and wait at a gate, then they go on together, as they
// stood still together. One that ran on another node becomes its own shadow and is shipped there.
#include <asm-generic/errno.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/time.h>

#include "libdsm/runtime/atomics.h"
#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/clone.h"
#include "libdsm/runtime/image_restore.h"
#include "libdsm/runtime/placement.h"
#include "libdsm/runtime/register_frame.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/shadow.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/stop_world.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kDeadlineNs = 30'000'000'000;

uint64_t now_ns() {
  int64_t time[2] = {};
  sys(__NR_clock_gettime, CLOCK_MONOTONIC, time);
  return static_cast<uint64_t>(time[0]) * 1'000'000'000 + static_cast<uint64_t>(time[1]);
}

// A thread finds its record by its index in the image, which its block carries until it goes on.
const image::View& image_of_process() { return *process().remote.restoring; }

const image::Thread& record_of(const Thread& thread) { return image_of_process().threads[thread.remote.image_index]; }

uint64_t enabled_features() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

// The kernel restores nothing but the oldest registers from a frame that it does not like, and says nothing.
void check_registers(const image::Thread& from, const image::View& view) {
  constexpr uint32_t kSoftwareBytes = 464, kLegacyBytes = 512;   // struct _fpx_sw_bytes: magic, size, then the features
  if (from.registers.bytes <= kLegacyBytes) return;
  uint64_t features;
  memcpy(&features, view.data(from.registers) + kSoftwareBytes + 8, sizeof features);
  if ((features & ~enabled_features()) == 0) return;
  fail("the program was saved on a processor with more registers than this one has (XSAVE features %x, here %x): restart it on one that has them",
       features, enabled_features());
}

void take_over(Thread& thread, const image::Thread& from, const image::View& view) {
  check_registers(from, view);
  Frame& frame = start_frame(thread);
  frame.context = from.context;
  frame.fs_base = from.fs_base;
  frame.gs_base = from.gs_base;
  frame.fp_bytes = from.registers.bytes;
  memcpy(frame.fp, view.data(from.registers), frame.fp_bytes);
  frame.context.fp = frame.fp_bytes != 0 ? reinterpret_cast<uint64_t>(frame.fp) : 0;
  memcpy(thread.affinity.word, from.affinity, sizeof thread.affinity.word);
  thread.signals.restart_number = -1;
  thread.signals.alt_stack = {from.stack_base, from.stack_flags, 0, from.stack_bytes};
  thread.signals.make_again = (from.flags & image::kAgain) != 0;
  thread.signals.deadline_ns = 0;
  if (from.deadline_ns != 0) {
    const uint64_t cut = view.process->monotonic_ns;
    thread.signals.deadline_ns = now_ns() + (from.deadline_ns > cut ? from.deadline_ns - cut : 1);
  }
  thread.remote.robust_head = from.robust_head;
  thread.remote.robust_bytes = from.robust_bytes;
  thread.remote.clear_tid = from.clear_tid;
  thread.remote.cpu_carry_ns = static_cast<int64_t>(from.cpu_ns);
  thread.remote.node = from.home % process().welcome.nodes;
  if (is_drained(thread.remote.node)) thread.remote.node = 0;
}

// An ordinary user's process was given the right to choose ids, in its user namespace, and nothing else: from here on it has none, as before.
void give_up_choosing_ids() {
  constexpr int kCheckpointRestore = 40;
  constexpr uint32_t kVersion3 = 0x20080522;
  if (sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, kCheckpointRestore, 0, 0) != 1) return;
  sys(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const uint32_t header[2] = {kVersion3, 0}, none[6] = {};
  RT_MUST(sys(__NR_capset, header, none));
}

// What only the thread itself may set.
void become_like(const image::Thread& from) {
  sys(__NR_prctl, PR_SET_NAME, from.name);
  if (from.timer_slack_ns != 0) sys(__NR_prctl, PR_SET_TIMERSLACK, from.timer_slack_ns);
  struct sched_attr attributes = {};
  attributes.size = sizeof attributes;
  attributes.sched_policy = static_cast<uint32_t>(from.policy);
  attributes.sched_nice = from.nice;
  attributes.sched_priority = from.priority;
  struct sched_attr now = {};
  if (sys(__NR_sched_getattr, 0, &now, sizeof now, 0) == 0 && now.sched_policy == attributes.sched_policy &&
      now.sched_nice == attributes.sched_nice && now.sched_priority == attributes.sched_priority)
    return;
  const int64_t error = sys(__NR_sched_setattr, 0, &attributes, 0);
  if (error != 0) log("not restored: the scheduling of thread %d (error %d)", from.tid, -error);
}

// The signals that waited, in their order; all are blocked still. What looks like the kernel's own a thread may send itself only.
void queue_signals(int32_t tid, bool for_process) {
  const int64_t pid = sys(__NR_getpid), own = sys(__NR_gettid);
  for (const image::PendingSignal& signal : image_of_process().signals) {
    if (signal.tid != (for_process ? 0 : tid)) continue;
    if (for_process)
      sys(__NR_rt_sigqueueinfo, pid, signal.info.signo, &signal.info);
    else
      sys(__NR_rt_tgsigqueueinfo, pid, own, signal.info.signo, &signal.info);
  }
}

[[noreturn]] void go_on(Thread& thread) {
  if (thread.remote.node != 0) shadow_main(&thread);
  begin_program(thread);
  board::enter(thread, abi::ThreadState::kRunning, 0);
  enter_frame(thread, start_frame(thread));
}

void wait_at_gate() {
  const uint32_t& gate = process().remote.restore_gate;
  while (__atomic_load_n(&gate, __ATOMIC_ACQUIRE) == 0) sys(__NR_futex, &gate, FUTEX_WAIT_PRIVATE, 0, nullptr);
}

[[noreturn]] void restored_main(Thread* thread_pointer) {
  Thread& thread = *thread_pointer;
  thread.tid = thread.kernel_tid = static_cast<int32_t>(sys(__NR_gettid));
  use_block_as_signal_stack(thread);
  const image::Thread& from = record_of(thread);
  become_like(from);
  give_up_choosing_ids();
  queue_signals(from.tid, false);
  __atomic_fetch_add(&process().remote.restored_threads, 1, __ATOMIC_RELEASE);
  wait_at_gate();
  go_on(thread);
}

void make_thread(uint32_t index, const image::View& view) {
  const image::Thread& from = view.threads[index];
  Thread* thread = process().threads.take();
  if (thread == nullptr) fail("no room for %d threads", view.threads.count);
  take_over(*thread, from, view);
  thread->remote.image_index = index;
  channel::CloneRequest request = {};
  request.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  const int64_t tid = start_child(*thread, request, restored_main, from.tid);
  if (tid == -EEXIST) fail("thread id %d is taken here: the process must be restored in a PID namespace of its own", from.tid);
  if (tid == -EPERM) fail("thread id %d cannot be chosen: needed is CAP_CHECKPOINT_RESTORE over the PID namespace", from.tid);
  if (is_error(tid)) fail("cannot make thread %d again (error %d)", from.tid, -tid);
}

void wait_for_threads(uint64_t count) {
  constexpr uint64_t kPauseNs = 200'000;
  const uint64_t pause[2] = {0, kPauseNs};
  for (uint64_t waited = 0;; waited += kPauseNs) {
    const uint64_t ready = __atomic_load_n(&process().remote.restored_threads, __ATOMIC_ACQUIRE);
    if (ready == count) return;
    if (waited > kDeadlineNs) fail("only %d of %d threads of the restored program have started within 30 s", ready, count);
    sys(__NR_nanosleep, pause, nullptr);
  }
}

// The kernel numbers timers upwards from 0: what lies between those of the program is made and given back.
void restore_timers(const image::View& view) {
  int64_t wanted = 0;
  for (const image::PosixTimer& timer : view.timers) {
    struct {
      uint64_t value;
      int32_t signal, notify, tid, pad[11];
    } event = {timer.value, timer.signal, timer.notify, timer.tid, {}};
  static_assert(sizeof event == 64);
    int32_t id = -1;
    for (; wanted <= timer.id; wanted++) {
      const int64_t error = sys(__NR_timer_create, timer.clock, &event, &id);
      if (error != 0) fail("cannot restore timer %d of the program (error %d)", timer.id, -error);
      if (id == timer.id) break;
      sys(__NR_timer_delete, id);
      if (id > timer.id) break;
    }
    if (id != timer.id) fail("cannot give timer %d of the program its number: this kernel counts otherwise", timer.id);
    wanted = timer.id + 1;
    const int64_t setting[4] = {timer.interval_s, timer.interval_ns, timer.left_s, timer.left_ns};
    if (timer.left_s != 0 || timer.left_ns != 0) sys(__NR_timer_settime, id, 0, setting, nullptr);
  }
}

void restore_intervals(const image::View& view) {
  for (uint64_t which = 0; which < view.intervals.count; which++) {
    const image::Interval& interval = view.intervals[which];
    if (interval.left_s != 0 || interval.left_us != 0) sys(__NR_setitimer, which, &interval, nullptr);
  }
}

}  // namespace

void restore_threads(const image::View& view) {
  Process& self = process();
  self.remote.restoring = &view;
  Thread& main = current_thread();
  const image::Thread& first = view.threads[0];
  const bool ended = (first.flags & image::kEnded) != 0;
  if (!ended) take_over(main, first, view);
  for (uint32_t i = 1; i < view.threads.count; i++) make_thread(i, view);
  wait_for_threads(view.threads.count - 1);
  restore_timers(view);
  if (!ended) become_like(first);
  give_up_choosing_ids();
  queue_signals(first.tid, true);
  if (!ended) queue_signals(first.tid, false);
  restore_intervals(view);
  __atomic_store_n(&self.remote.restore_gate, 1, __ATOMIC_RELEASE);
  sys(__NR_futex, &self.remote.restore_gate, FUTEX_WAKE_PRIVATE, INT32_MAX);
  if (!ended) go_on(main);
  board::leave(main);
  ThreadPool::give_back(main);
  for (;;) sys(__NR_exit, 0);
}

}  // namespace dsm::runtime
