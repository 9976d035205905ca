// SPDX-License-Identifier: Apache-2.0
// The process as a whole, as it goes into an image: names, limits, signal actions, timers.
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/time.h>

#include "libdsm/runtime/image_limits.h"
#include "libdsm/runtime/image_writer.h"
#include "libdsm/runtime/kernel_limits.h"
#include "libdsm/runtime/proc_text.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/vdso_digest.h"

namespace dsm::runtime {
namespace {

using image::SectionKind;

constexpr uint32_t kLimits = 16;
constexpr int kNofile = 7;

uint64_t clock_ns(int clock) {
  int64_t time[2] = {};
  sys(__NR_clock_gettime, clock, time);
  return static_cast<uint64_t>(time[0]) * 1'000'000'000 + static_cast<uint64_t>(time[1]);
}

// The mask has no call that reads it alone. All threads stand still.
uint32_t file_mask() {
  const int64_t mask = sys(__NR_umask, 0);
  sys(__NR_umask, mask);
  return static_cast<uint32_t>(mask);
}

image::Span folder(ImageBuilder& builder) {
  char path[kPathBytes];
  const int64_t length = sys(__NR_getcwd, path, sizeof path);
  const bool reachable = length > 0 && path[0] == '/';
  if (!reachable) builder.lose(image::LostKind::kOther, 0, 0, "the current directory has no name any more: the restarted program is in /");
  return builder.text(reachable ? path : "/");
}

// A file of /proc that may be long; cut where the kernel cuts it.
image::Span whole_file(ImageBuilder& builder, const char* path, uint64_t most) {
  image::Span span = builder.room(most + 1);
  const int64_t length = read_small_file(path, reinterpret_cast<char*>(builder.data(span)), most + 1);
  builder.shrink_last(&span, length > 0 ? static_cast<uint64_t>(length) : 0);
  return span;
}

// Fields 26 (startcode) ... 28 (startstack) and 45, 46 (start_data, end_data) of /proc/thread-self/stat.
void add_image_bounds(image::Process& out) {
  char text[2048];
  if (is_error(read_small_file("/proc/thread-self/stat", text, sizeof text))) return;
  const char* at = text;
  for (const char* c = text; *c != 0; c++)
    if (*c == ')') at = c + 1;   // the name may contain blanks and parentheses
  for (int field = 3; *at != 0; field++) {
    at = skip_blanks(at);
    const char* number = at;
    const uint64_t value = parse_decimal(&number);
    if (field == 26) out.code_start = value;
    if (field == 27) out.code_end = value;
    if (field == 28) out.stack_start = value;
    if (field == 45) out.data_start = value;
    if (field == 46) out.data_end = value;
    while (*at != ' ' && *at != 0) at++;
  }
}

void add_limits(ImageBuilder& builder) {
  for (uint32_t i = 0; i < kLimits; i++) {
    ResourceLimit limit = resource_limit(static_cast<int>(i));
    if (i == kNofile && process().file_limit_hard != 0) limit.hard = process().file_limit_hard;
    builder.add(SectionKind::kLimits, image::Limit{limit.soft, limit.hard});
  }
}

void add_intervals(ImageBuilder& builder) {
  for (int which = 0; which < 3; which++) {
    image::Interval interval = {};
    sys(__NR_getitimer, which, &interval);
    builder.add(SectionKind::kIntervals, interval);
  }
}

void add_actions(ImageBuilder& builder) {
  for (int signal = 1; signal <= kSignals; signal++)
    builder.add(SectionKind::kActions, image::Action{process().remote.signals.get(signal)});
}

}  // namespace

void add_process(ImageBuilder& builder) {
  constexpr uint64_t kMostStrings = 8 << 20;   // arguments and environment, as execve allows by default
  Process& self = process();
  image::Process out = {};
  out.pid = self.pid;
  out.umask = file_mask();
  out.personality = static_cast<uint64_t>(sys(__NR_personality, 0xffffffff)) & 0xffffffff;
  self.memory.describe_layout(out.map_top, out.break_start, out.break_now, out.lock_future);
  out.file_limit_hard = self.file_limit_hard;
  out.threads_ever = self.board->threads_ever;
  out.remote_threads_ever = self.board->remote_threads_ever;
  out.threads_placed = self.remote.threads_placed;
  out.dumpable = static_cast<uint32_t>(sys(__NR_prctl, PR_GET_DUMPABLE));
  out.no_new_privileges = static_cast<uint32_t>(sys(__NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  int32_t subreaper = 0;
  sys(__NR_prctl, PR_GET_CHILD_SUBREAPER, &subreaper);
  out.child_subreaper = subreaper != 0 ? 1 : 0;
  if (self.welcome.origin_clock == 0) {   // else the program has been told of none
    out.vdso_address = self.vdso_address;
    out.vdso_bytes = self.vdso_bytes;
    out.vdso_digest = vdso_digest();
  }
  out.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
  out.boottime_ns = clock_ns(CLOCK_BOOTTIME);
  out.realtime_ns = clock_ns(CLOCK_REALTIME);
  add_image_bounds(out);
  out.program_path = builder.text(self.program_path);
  out.folder = folder(builder);
  out.arguments = whole_file(builder, "/proc/thread-self/cmdline", kMostStrings);
  out.environment = whole_file(builder, "/proc/thread-self/environ", kMostStrings);
  out.auxiliary = whole_file(builder, "/proc/thread-self/auxv", image::kMostAuxiliary - 16);
  builder.add(SectionKind::kProcess, out);
  add_limits(builder);
  add_intervals(builder);
  add_actions(builder);
}

namespace {

// The kernel lists them in no order to rely on.
void insert_by_id(ImageBuilder& builder, const image::PosixTimer& timer) {
  uint32_t at = builder.add(SectionKind::kTimers, timer);
  auto* const timers = builder.records<image::PosixTimer>(SectionKind::kTimers);
  for (; at > 0 && timers[at - 1].id > timer.id; at--) timers[at] = timers[at - 1];
  timers[at] = timer;
}

}  // namespace

// /proc/self/timers has four lines a timer: ID, signal (number/value), notify (how/pid.tid), ClockID.
void add_posix_timers(ImageBuilder& builder) {
  constexpr uint64_t kMostText = 1 << 20;
  char* const text = static_cast<char*>(process().arena.take(kMostText));
  const int64_t length = read_small_file("/proc/self/timers", text, kMostText);
  if (is_error(length)) {
    builder.lose(image::LostKind::kOther, 0, 0, "POSIX timers, if there are any: this kernel does not list them (CONFIG_CHECKPOINT_RESTORE)");
  }
  for (const char* line = length > 0 ? text : nullptr; line != nullptr; line = next_line(line)) {
    const char* at = field_of(line, "ID:");
    if (!starts_with(line, "ID:") || at == nullptr) continue;
    image::PosixTimer timer = {};
    timer.id = static_cast<int32_t>(parse_decimal(&at));
    if (const char* signal = field_of(line, "signal:"); signal != nullptr) {
      timer.signal = static_cast<int32_t>(parse_decimal(&signal));
      if (*signal == '/') signal++;
      timer.value = parse_hex(&signal);
    }
    if (const char* notify = field_of(line, "notify:"); notify != nullptr) {
      constexpr int kSigevSignal = 0, kSigevNone = 1, kSigevThreadId = 4;
      timer.notify = starts_with(notify, "none") ? kSigevNone : kSigevSignal;
      while (*notify != '/' && *notify != 0 && *notify != '\n') notify++;
      if (starts_with(notify, "/tid.")) {
        timer.notify = kSigevThreadId;
        notify += 5;
        timer.tid = static_cast<int32_t>(parse_decimal(&notify));
      }
    }
    if (const char* clock = field_of(line, "ClockID:"); clock != nullptr) timer.clock = static_cast<int32_t>(parse_signed(&clock));
    if (timer.tid != 0 && process().threads.find(timer.tid) == nullptr) {
      builder.lose(image::LostKind::kOther, timer.id, 0, "a timer that signals a thread which is not the program's");
      continue;
    }
    int64_t value[4] = {};
    sys(__NR_timer_gettime, timer.id, value);
    timer.interval_s = value[0];
    timer.interval_ns = value[1];
    timer.left_s = value[2];
    timer.left_ns = value[3];
    insert_by_id(builder, timer);
  }
  process().arena.give_back(text, kMostText);
}

void add_children(ImageBuilder& builder) {
  constexpr int kAll = 0, kNoHang = 1, kExited = 4, kNoWait = 0x01000000, kAnyClone = 0x40000000;
  KernelSigInfo info = {};
  if (sys(__NR_waitid, kAll, 0, &info, kNoHang | kExited | kNoWait | kAnyClone, nullptr) == 0)
    builder.lose(image::LostKind::kChild, 0, 0, "child processes of the program");
}

}  // namespace dsm::runtime
