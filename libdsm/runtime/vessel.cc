// SPDX-License-Identifier: Apache-2.0
// The second role: the process on another node that runs the program's remote threads. Its memory is flat: a few giant
// mappings of its own memfd, everything arrives by fault. The main thread of the process only waits for channels (from the agent)
// and for kicks and the end of the program's process (on the control channel).
//
// Context: service thread on the stack of its block; no traps.
#include <asm-generic/errno.h>
#include <linux/ioctl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>

#include "libdsm/runtime/atomics.h"
#include "libdsm/runtime/channel.h"
#include "libdsm/runtime/clone.h"
#include "libdsm/runtime/register_frame.h"
#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/signals.h"
#include "libdsm/runtime/worker.h"

namespace dsm::runtime {
namespace {

constexpr int kPollIn = 1;
struct PollFd {
  int32_t fd;
  int16_t events, seen;
};

// A limit on address space is meant for what the program maps; here everything is mapped at once. This process runs nothing
// else, so that the limit stays lifted.
void lift_address_space_limit() {
  struct {
    uint64_t soft, hard;
  } limit = {}, none = {~uint64_t{0}, ~uint64_t{0}}, lifted;
  RT_MUST(sys(__NR_prlimit64, 0, RLIMIT_AS, nullptr, &limit));
  if (limit.soft == none.soft || sys(__NR_prlimit64, 0, RLIMIT_AS, &none, nullptr) == 0) return;
  if (limit.hard < abi::kUserEnd)
    fail("the hard limit on address space is %d KiB; nodes map all of it at once (remedy: ulimit -Hv unlimited)", limit.hard / 1024);
  lifted = {limit.hard, limit.hard};
  RT_MUST(sys(__NR_prlimit64, 0, RLIMIT_AS, &lifted, nullptr));
}

// All of program memory between two addresses: inaccessible to nobody here, the origin's map decides about each page.
void map_flat(uint64_t start, uint64_t end) {
  const Process& self = process();
  RT_MUST(sys(__NR_mmap, start, end - start, PROT_READ | PROT_WRITE | PROT_EXEC,
              MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, self.memory_fd, start));
  uffdio_register range = {};
  range.range = {start, end - start};
  range.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP;
  RT_MUST(sys(__NR_ioctl, self.userfault_fd, UFFDIO_REGISTER, &range));
}

// A signal that was meant for the program (Ctrl-C reaches the whole process group) is the origin's affair.
void ignore_program_signals() {
  const KernelSigAction ignore = {kHandlerIgnore, 0, 0, 0};
  for (int signal = 1; signal <= kSignals; signal++) {
    constexpr uint64_t kKept = kSynchronousSignals | kUnblockableSignals | signal_bit(kSigChld);
    if ((kKept & signal_bit(signal)) == 0) sys(__NR_rt_sigaction, signal, &ignore, nullptr, 8);
  }
}

void start_worker(int fd) {
  Thread* thread = process().threads.take();
  if (thread == nullptr) fail("more than %d threads on this node", kMaxThreads);
  thread->remote.kind = ThreadKind::kIdleWorker;
  thread->remote.channel_fd = fd;
  thread->signals.restart_number = -1;
  channel::CloneRequest request = {};
  request.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  const int64_t result = start_child(*thread, request, worker_main);
  if (is_error(result)) fail("no kernel thread for a remote thread: error %d", -result);
}

void signal_thread(const Thread& thread, int signal) {
  sys(__NR_tgkill, sys(__NR_getpid), __atomic_load_n(&thread.kernel_tid, __ATOMIC_ACQUIRE), signal);
}

class ServiceLoop {
 public:
  [[noreturn]] void run() {
    for (;;) {
      PollFd waiting[2] = {{process().control.fd(), kPollIn, 0}, {control_channel_, kPollIn, 0}};
      const int64_t ready = sys(__NR_poll, waiting, control_channel_ >= 0 ? 2 : 1, -1);
      if (ready == -EINTR) continue;
      RT_MUST(ready);
      // The end of one program process comes before the first channel of the next.
      if (waiting[1].seen != 0) read_control_channel();
      if (waiting[0].seen != 0) read_agent();
    }
  }

 private:
  void read_agent() {
    abi::Packet packet = {};
    int fd = -1;
    process().control.receive(packet, &fd);
    if (packet.op != abi::Op::kNewChannel || fd < 0) fail("BUG: packet %d from the agent", packet.op);
    const int channel_fd = to_private_fd(fd);
    constexpr int kTcp = 6, kNoDelay = 1, on = 1;
    sys(__NR_setsockopt, channel_fd, kTcp, kNoDelay, &on, sizeof on);   // fails on a Unix socket, which never delays
    if (control_channel_ >= 0) return start_worker(channel_fd);
    control_channel_ = channel_fd;
    kick_bytes_ = 0;
  }

  void read_control_channel() {
    constexpr int kDontWait = 0x40;
    uint8_t* to = reinterpret_cast<uint8_t*>(&kick_) + kick_bytes_;
    const int64_t got = sys(__NR_recvfrom, control_channel_, to, sizeof kick_ - kick_bytes_, kDontWait, nullptr, nullptr);
    if (got == -EAGAIN || got == -EINTR) return;
    if (got <= 0) return end_generation();
    kick_bytes_ += static_cast<size_t>(got);
    if (kick_bytes_ < sizeof kick_) return;
    kick_bytes_ = 0;
    RT_CHECK(kick_.header.type == channel::Type::kKick);
    const Thread* thread = process().threads.find(kick_.tid);
    if (thread != nullptr) signal_thread(*thread, abi::kSignalKick);
  }

  // The program's process has ended or has replaced its image: none of its threads may run on.
  void end_generation() {
    process().private_fds.close(control_channel_);
    control_channel_ = -1;
    __atomic_fetch_add(&process().remote.generation, 1, __ATOMIC_SEQ_CST);   // pairs with run() in worker.cc
    const uint32_t count = process().threads.high_water();
    for (uint32_t i = 0; i < count; i++) {
      const Thread& thread = ThreadPool::at(i);
      if (__atomic_load_n(&thread.in_use, __ATOMIC_ACQUIRE) != 0 &&
          load_ordered(thread.remote.kind) == ThreadKind::kBusyWorker)
        signal_thread(thread, abi::kSignalStop);
    }
  }

  int control_channel_ = -1;
  channel::Kick kick_ = {};
  size_t kick_bytes_ = 0;
};

}  // namespace

void vessel_main() {
  Process& self = process();
  sys(__NR_prctl, PR_SET_PDEATHSIG, kSigKill, 0, 0, 0);
  sys(__NR_prctl, PR_SET_NAME, "dsm-vessel", 0, 0, 0);
  clear_address_space();
  open_memory_and_board();
  greet_agent();
  current_thread().remote.kind = ThreadKind::kService;
  use_block_as_signal_stack(current_thread());
  ignore_program_signals();
  signal_install();
  lift_address_space_limit();
  map_flat(abi::kUserBegin, abi::kRuntimeBegin);
  map_flat(abi::kRuntimeEnd, abi::kUserEnd);
  abi::Packet ready = {};
  ready.op = abi::Op::kReady;
  self.control.send(ready, nullptr, 0);
  ServiceLoop loop;
  loop.run();
}

}  // namespace dsm::runtime
