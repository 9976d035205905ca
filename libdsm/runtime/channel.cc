// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/channel.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/runtime_log.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/sys.h"
#include "libdsm/runtime/worker.h"

namespace dsm::runtime::channel {
namespace {

constexpr int kDontWait = 0x40, kNoSignal = 0x4000;   // MSG_DONTWAIT, MSG_NOSIGNAL
constexpr uint32_t kPollsBetweenClockReads = 32;
// After so many waits in a row that polling did not shorten, only every so many-th wait polls.
constexpr uint32_t kMissesBeforeRest = 4, kRestPeriod = 16;

uint64_t now_ns() {
  uint64_t time[2];
  sys(__NR_clock_gettime, 1 /*CLOCK_MONOTONIC*/, time);
  return time[0] * 1'000'000'000 + time[1];
}

// At the origin a vessel is gone: the agents have seen it too, and the launcher says which; at a vessel the program is.
[[noreturn]] void on_closed(Thread& thread) {
  if (is_vessel()) worker_abandon(thread);
  constexpr uint64_t kSecondsForTheLauncher = 3;
  const uint64_t wait[2] = {kSecondsForTheLauncher, 0};
  sys(__NR_nanosleep, wait, nullptr);
  fail("node %d does not answer any more", thread.remote.node);
}

int64_t receive_some(Thread& thread, void* to, size_t bytes, int flags) {
  for (;;) {
    const int64_t got = sys(__NR_recvfrom, thread.remote.channel_fd, to, bytes, flags, nullptr, nullptr);
    if (got == -EINTR) {
      if ((thread.signals.pending_word & kPendingAbandon) != 0) worker_abandon(thread);
      continue;
    }
    if (got == -EAGAIN) return 0;
    if (got <= 0) on_closed(thread);
    return got;
  }
}

bool spinning_pays(ThreadRemote& remote) {
  return remote.spin_misses < kMissesBeforeRest || remote.spin_misses % kRestPeriod == 0;
}

// The first bytes of a message: polled for, then waited for.
size_t receive_first(Thread& thread, void* to, size_t bytes) {
  const uint64_t spin_ns = uint64_t{process().welcome.spin_us} * 1000;
  ThreadRemote& remote = thread.remote;
  if (spin_ns != 0 && spinning_pays(remote)) {
    const uint64_t until = now_ns() + spin_ns;
    do {
      for (uint32_t i = 0; i < kPollsBetweenClockReads; i++) {
        const int64_t got = receive_some(thread, to, bytes, kDontWait);
        if (got > 0) {
          remote.spin_misses = 0;
          return static_cast<size_t>(got);
        }
        asm volatile("pause");
      }
      sys(__NR_sched_yield);   // the other end, or an agent on the way of a page, may want this very CPU
    } while (now_ns() < until);
  }
  const uint64_t slept_from = now_ns();
  const int64_t got = receive_some(thread, to, bytes, 0);
  const bool long_wait = now_ns() - slept_from > spin_ns;
  remote.spin_misses = long_wait ? remote.spin_misses + 1 : 0;
  return static_cast<size_t>(got);
}

}  // namespace

size_t struct_bytes(Type type) {
  switch (type) {
    case Type::kSpawn: return sizeof(Spawn);
    case Type::kStarted: return sizeof(Started);
    case Type::kSyscall: return sizeof(Syscall);
    case Type::kResult: return sizeof(Result);
    case Type::kClone: return sizeof(Clone);
    case Type::kExit: return sizeof(Exit);
    case Type::kHome: return sizeof(Home);
    case Type::kSignalFetch: return sizeof(SignalFetch);
    case Type::kSignal: return sizeof(Signal);
    case Type::kMask: return sizeof(Mask);
    case Type::kFault: return sizeof(Fault);
    case Type::kKick: return sizeof(Kick);
  }
  return 0;
}

int64_t write_all(int fd, const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const int64_t sent = sys(__NR_sendto, fd, from, bytes, kNoSignal, nullptr, 0);
    if (sent == -EINTR) continue;
    if (sent <= 0) return sent == 0 ? -EPIPE : sent;
    from += sent;
    bytes -= static_cast<size_t>(sent);
  }
  return 0;
}

void send_bytes(Thread& thread, void* message, size_t struct_size, const void* tail, size_t tail_bytes) {
  static_cast<Header*>(message)->bytes = static_cast<uint32_t>(tail_bytes);
  RT_CHECK(struct_size + tail_bytes <= kMaxMessageBytes);
  int64_t error;
  if (tail_bytes == 0) {
    error = write_all(thread.remote.channel_fd, message, struct_size);
  } else {
    uint8_t whole[kMaxMessageBytes];
    memcpy(whole, message, struct_size);
    memcpy(whole + struct_size, tail, tail_bytes);
    error = write_all(thread.remote.channel_fd, whole, struct_size + tail_bytes);
  }
  if (error != 0) on_closed(thread);
}

void receive(Thread& thread, Buffer& buffer) {
  buffer.size -= buffer.taken;
  if (buffer.size != 0) memmove(buffer.bytes, buffer.bytes + buffer.taken, buffer.size);
  if (buffer.size == 0) buffer.size = receive_first(thread, buffer.bytes, sizeof buffer.bytes);
  for (;;) {
    size_t whole = sizeof(Header);
    if (buffer.size >= sizeof(Header)) {
      const size_t fixed = struct_bytes(buffer.header().type);
      RT_CHECK(fixed != 0);
      whole = fixed + buffer.header().bytes;
      RT_CHECK(whole <= sizeof buffer.bytes);
      if (buffer.size >= whole) {
        buffer.taken = whole;
        return;
      }
    }
    buffer.size += static_cast<size_t>(receive_some(thread, buffer.bytes + buffer.size, whole - buffer.size, 0));
  }
}

}  // namespace dsm::runtime::channel
