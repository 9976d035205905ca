// SPDX-License-Identifier: Apache-2.0
// TransferRing: a few large reads or writes of one file under way at once, each from a buffer of its own, by io_uring; where that is
// switched off, one after the other. The buffers are aligned for O_DIRECT. Owner-thread only.
//
// Invariants
//  1. A buffer between start() and its await() belongs to the kernel.
//  2. await() gives the whole transfer: short ones are continued. A read ends early only at the end of the file.
#pragma once
#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace dsm::os {

class TransferRing {
 public:
  static constexpr size_t kAlignment = 4096;         // at least the logical block size of any disk of today
  static constexpr size_t kBufferBytes = 1u << 20;   // from here on a disk's stream is as fast as it gets
  static constexpr unsigned kBuffers = 4;
  enum class Direction { kRead, kWrite };

  explicit TransferRing(Direction direction);
  ~TransferRing();
  TransferRing(const TransferRing&) = delete;
  TransferRing& operator=(const TransferRing&) = delete;

  std::span<std::byte> buffer(unsigned n) { return {memory_.get() + n * kBufferBytes, kBufferBytes}; }
  // `bytes` of buffer n at `offset` of the file. The buffer is idle.
  void start(unsigned n, int fd, uint64_t offset, size_t bytes);
  bool busy(unsigned n) const { return slots_[n].busy; }
  // Waits for the transfer of buffer n. Bytes that went through, or -errno.
  int64_t await(unsigned n);
  // Waits for everything.
  void settle();

 private:
  struct Slot {
    int fd = -1;
    uint64_t offset = 0;
    size_t wanted = 0, done = 0;
    int error = 0;
    bool busy = false, ended = false;
  };
  struct Release {
    void operator()(std::byte* memory) const;
  };

  void submit(unsigned n);
  void transfer_now(Slot& slot, std::byte* memory);
  void complete(unsigned n, int result);
  void reap_one();

  const Direction direction_;
  io_uring ring_{};
  bool ring_open_ = false;
  std::unique_ptr<std::byte[], Release> memory_;
  std::vector<Slot> slots_{kBuffers};
};

}  // namespace dsm::os
