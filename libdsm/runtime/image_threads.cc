// SPDX-License-Identifier: Apache-2.0
// The threads of a process image.
#include <linux/prctl.h>
#include <linux/sched/types.h>

#include "libdsm/runtime/board_slots.h"
#include "libdsm/runtime/image_limits.h"
#include "libdsm/runtime/image_writer.h"
#include "libdsm/runtime/proc_text.h"
#include "libdsm/runtime/register_frame.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/strings.h"

namespace dsm::runtime {
namespace {

using image::SectionKind;

constexpr unsigned kMostQueued = 1024;   // signals of one thread; RLIMIT_SIGPENDING may allow more, programs do not

// One queue of pending signals, taken out of the kernel and put back in the same order.
class PendingQueue {
 public:
  explicit PendingQueue(Arena& arena) : arena_(arena), info_(static_cast<KernelSigInfo*>(arena.take(kBytes))) {}
  ~PendingQueue() { arena_.give_back(info_, kBytes); }
  PendingQueue(const PendingQueue&) = delete;
  PendingQueue& operator=(const PendingQueue&) = delete;

  // The kernel gives a thread's own signals before those of the process, lower numbers first.
  void take_all(const char* field) {
    for (;;) {
      const uint64_t waiting = status_mask("/proc/thread-self/status", field) & ~kUnblockableSignals;
      if (waiting == 0 || count_ == kMostQueued) return;
      const uint64_t lowest = waiting & -waiting;
      const uint64_t no_time[2] = {0, 0};
      if (is_error(sys(__NR_rt_sigtimedwait, &lowest, &info_[count_], no_time, 8))) return;
      count_++;
    }
  }
  void add(const KernelSigInfo& info) {
    if (count_ < kMostQueued) info_[count_++] = info;
  }
  void put_back(bool to_process) const {
    const int64_t pid = sys(__NR_getpid), tid = sys(__NR_gettid);
    for (unsigned i = 0; i < count_; i++) {
      // Only the main thread may queue what looks like the kernel's own; else its data is lost.
      if (to_process && is_error(sys(__NR_rt_sigqueueinfo, pid, info_[i].signo, &info_[i])))
        sys(__NR_kill, pid, info_[i].signo);
      else if (!to_process)
        sys(__NR_rt_tgsigqueueinfo, pid, tid, info_[i].signo, &info_[i]);
    }
  }
  void describe(ImageBuilder& builder, int32_t tid) const {
    for (unsigned i = 0; i < count_; i++) builder.add(SectionKind::kSignals, image::PendingSignal{tid, 0, info_[i]});
  }

 private:
  static constexpr uint64_t kBytes = kMostQueued * sizeof(KernelSigInfo);
  Arena& arena_;
  KernelSigInfo* info_;
  unsigned count_ = 0;
};

// The main thread tells the process's signals, too, since only it may queue all of them again as they were; the calling one where
// the main thread has ended.
bool tells_shared(const Thread& thread) {
  if (thread.tid == process().pid) return true;
  return thread.signals.image_state == ThreadSignals::ImageState::kRunning && process().threads.find(process().pid) == nullptr;
}

// All signals of the program are blocked.
void add_pending(Thread& thread, ImageBuilder& builder) {
  Arena& arena = process().arena;
  {
    PendingQueue deferred(arena);   // came before all that the kernel still holds
    if ((thread.signals.pending_word & kPendingSignal) != 0) deferred.add(thread.signals.deferred);
    deferred.describe(builder, thread.tid);
  }
  PendingQueue own(arena), shared(arena);
  own.take_all("SigPnd:");
  if (tells_shared(thread)) shared.take_all("ShdPnd:");
  own.put_back(false);
  shared.put_back(true);
  own.describe(builder, thread.tid);
  shared.describe(builder, 0);
}

image::Thread describe(Thread& thread, ImageBuilder& builder) {
  const Frame& frame = start_frame(thread);
  image::Thread out = {};
  out.tid = thread.tid;
  out.home = thread.remote.called_from;
  if (thread.signals.make_again) {
    out.flags = image::kAgain;
    out.deadline_ns = thread.signals.deadline_ns;
  }
  out.fs_base = frame.fs_base;
  out.gs_base = frame.gs_base;
  const AltStack& alt = thread.signals.alt_stack;
  out.stack_base = alt.base;
  out.stack_bytes = alt.size;
  out.stack_flags = alt.flags;
  out.robust_head = thread.remote.robust_head;
  out.robust_bytes = thread.remote.robust_bytes;
  out.clear_tid = thread.remote.clear_tid;
  out.cpu_ns = board::program_thread_cpu_ns(thread);
  static_assert(sizeof out.affinity == sizeof thread.affinity);
  memcpy(out.affinity, thread.affinity.word, sizeof out.affinity);
  sys(__NR_prctl, PR_GET_NAME, out.name);
  const int64_t slack = sys(__NR_prctl, PR_GET_TIMERSLACK);
  out.timer_slack_ns = is_error(slack) ? 0 : static_cast<uint32_t>(slack);
  struct sched_attr attributes = {};
  if (sys(__NR_sched_getattr, 0, &attributes, sizeof attributes, 0) == 0) {
    out.policy = static_cast<int32_t>(attributes.sched_policy);
    out.nice = attributes.sched_nice;
    out.priority = attributes.sched_priority;
  }
  out.registers = builder.bytes(frame.fp, frame.fp_bytes);
  out.context = frame.context;
  out.context.fp = 0;
  return out;
}

void swap(image::Thread& a, image::Thread& b) {
  const image::Thread kept = a;
  a = b;
  b = kept;
}

// Sifts thread[root] down in the heap thread[first..last] (by tid).
void sift_down(image::Thread* thread, uint32_t root, uint32_t count) {
  for (;;) {
    uint32_t child = 2 * root + 1;
    if (child >= count) return;
    if (child + 1 < count && thread[child + 1].tid > thread[child].tid) child++;
    if (thread[root].tid >= thread[child].tid) return;
    swap(thread[root], thread[child]);
    root = child;
  }
}

}  // namespace

void add_thread(Thread& thread, ImageBuilder& builder) {
  LockGuard guard(builder.lock());
  builder.add(SectionKind::kThreads, describe(thread, builder));
  add_pending(thread, builder);
}

void order_threads(ImageBuilder& builder) {
  const int32_t pid = process().pid;
  uint32_t count = builder.count(SectionKind::kThreads), main = 0;
  while (main < count && builder.records<image::Thread>(SectionKind::kThreads)[main].tid != pid) main++;
  if (main == count) {
    image::Thread ended = {};
    ended.tid = pid;
    ended.flags = image::kEnded;
    builder.add(SectionKind::kThreads, ended);
    count++;
  }
  auto* thread = builder.records<image::Thread>(SectionKind::kThreads);
  swap(thread[0], thread[main]);
  image::Thread* const others = thread + 1;
  const uint32_t rest = count - 1;
  for (uint32_t root = rest / 2; root-- > 0;) sift_down(others, root, rest);
  for (uint32_t end = rest; end > 1; end--) {
    swap(others[0], others[end - 1]);
    sift_down(others, 0, end - 1);
  }
}

}  // namespace dsm::runtime
