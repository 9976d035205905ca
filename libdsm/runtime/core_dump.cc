// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/core_dump.h"

#include <asm-generic/errno.h>
#include <linux/fcntl.h>
#include <linux/ioctl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/userfaultfd.h>

#include "libdsm/runtime/kernel_limits.h"
#include "libdsm/runtime/proc_paths.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {
namespace {

constexpr uint64_t kDeadlineMs = 20'000;
constexpr uint64_t kLeastHole = 1 << 20;   // shorter ones cost less in the dump than a cut mapping
constexpr int kSeekData = 3, kSeekHole = 4;

bool will_be_written() {
  const uint64_t limit = resource_limit(RLIMIT_CORE).soft;
  if (sys(__NR_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) == 0) return false;
  if (limit > 1) return true;
  return limit != 1 && first_byte_of("/proc/sys/kernel/core_pattern") == '|';   // a pipe gets dumps whatever the limit says, unless it is 1
}

// The kernel would fill every hole of a shared mapping to dump it; what was reserved and never touched is left out.
void leave_holes_out(const Range& range) {
  const int fd = process().memory_fd;
  for (uint64_t at = range.start; at < range.end;) {
    int64_t data = sys(__NR_lseek, fd, at, kSeekData);
    const uint64_t stop = is_error(data) || static_cast<uint64_t>(data) > range.end ? range.end : static_cast<uint64_t>(data);
    if (stop - at >= kLeastHole) sys(__NR_madvise, at, stop - at, MADV_DONTDUMP);
    if (stop == range.end) return;
    const int64_t hole = sys(__NR_lseek, fd, stop, kSeekHole);
    if (is_error(hole)) return;
    at = static_cast<uint64_t>(hole);
  }
}

// A task that dumps gets no page faults answered by userfaultfd, so the kernel has to answer them itself. Nobody elsewhere writes
// any more: what lies in the memory file is all there is.
void give_back_to_kernel() {
  const Process& self = process();
  const ProgramMap& map = self.memory.ranges();
  for (size_t i = 0; i < map.size(); i++) {
    const Range& range = map.at(i);
    if (range.kind != abi::MapKind::kPrivate) continue;
    uffdio_range whole = {range.start, range.bytes()};
    sys(__NR_ioctl, self.userfault_fd, UFFDIO_UNREGISTER, &whole);
    leave_holes_out(range);
  }
}

uint64_t now_ms() {
  struct {
    int64_t seconds, ns;
  } now = {};
  sys(__NR_clock_gettime, 1 /*CLOCK_MONOTONIC*/, &now);
  return static_cast<uint64_t>(now.seconds) * 1000 + static_cast<uint64_t>(now.ns) / 1'000'000;
}

// The lock may be held by a thread that waits for what this one will never do.
bool lock_until(Lock& lock, uint64_t deadline_ms) {
  const int64_t pause[2] = {0, 1'000'000};
  while (!lock.try_lock()) {
    if (now_ms() >= deadline_ms) return false;
    sys(__NR_nanosleep, pause, nullptr);
  }
  return true;
}

}  // namespace

void gather_memory_for_core() {
  Process& self = process();
  if (self.lone.alone) return;
  if (__atomic_exchange_n(&self.dying, 1u, __ATOMIC_ACQ_REL) != 0 || !will_be_written()) return;
  const uint64_t deadline = now_ms() + kDeadlineMs;
  const char* missing = "the lock of the address map";
  if (lock_until(self.memory.lock(), deadline)) {
    abi::Packet packet = {};
    packet.op = abi::Op::kFreeze;
    packet.range = {abi::kUserBegin, abi::kUserEnd - abi::kUserBegin};
    if (self.control.request_within(packet, kDeadlineMs) == 0) return give_back_to_kernel();
    missing = "the node agent";
  }
  log("the core dump will lack memory that other nodes hold: waited %d ms for %s", kDeadlineMs, missing);
}

}  // namespace dsm::runtime
