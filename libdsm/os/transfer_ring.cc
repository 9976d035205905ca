// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/transfer_ring.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "libdsm/base/check.h"

namespace dsm::os {
namespace {

// Where O_DIRECT does not do: a file system with other alignment, or the rest of a write that ended inside a disk block (a quota, a
// limit on file sizes). Without it the rest follows, or fails for the reason that it has. False: it was not on.
bool end_direct(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0 && ::fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

}  // namespace

TransferRing::TransferRing(Direction direction) : direction_(direction) {
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, kBuffers * kBufferBytes)));
  DSM_CHECK(memory_ != nullptr);
  ring_open_ = io_uring_queue_init(kBuffers * 2, &ring_, 0) == 0;
}

TransferRing::~TransferRing() {
  settle();
  if (ring_open_) io_uring_queue_exit(&ring_);
}

void TransferRing::Release::operator()(std::byte* memory) const { std::free(memory); }

void TransferRing::start(unsigned n, int fd, uint64_t offset, size_t bytes) {
  DSM_CHECK(n < kBuffers && !slots_[n].busy && bytes <= kBufferBytes);
  slots_[n] = {.fd = fd, .offset = offset, .wanted = bytes, .busy = true, .ended = bytes == 0};
  if (bytes == 0) return;
  if (ring_open_) submit(n);
  else transfer_now(slots_[n], buffer(n).data());
}

void TransferRing::submit(unsigned n) {
  const Slot& slot = slots_[n];
  std::byte* at = buffer(n).data() + slot.done;
  const auto bytes = static_cast<unsigned>(slot.wanted - slot.done);
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  DSM_CHECK(entry != nullptr);
  if (direction_ == Direction::kRead) io_uring_prep_read(entry, slot.fd, at, bytes, slot.offset + slot.done);
  else io_uring_prep_write(entry, slot.fd, at, bytes, slot.offset + slot.done);
  io_uring_sqe_set_data64(entry, n);
  int taken;
  do taken = io_uring_submit(&ring_);
  while (taken == -EINTR || taken == -EAGAIN || taken == -EBUSY);
  DSM_CHECK(taken == 1);
}

void TransferRing::transfer_now(Slot& slot, std::byte* memory) {
  const auto n = static_cast<unsigned>(&slot - slots_.data());
  while (!slot.ended) {
    std::byte* at = memory + slot.done;
    const auto offset = static_cast<off_t>(slot.offset + slot.done);
    const size_t bytes = slot.wanted - slot.done;
    const ssize_t got = direction_ == Direction::kRead ? ::pread(slot.fd, at, bytes, offset) : ::pwrite(slot.fd, at, bytes, offset);
    complete(n, got < 0 ? -errno : static_cast<int>(got));
  }
}

void TransferRing::complete(unsigned n, int result) {
  Slot& slot = slots_[n];
  if (result == -EINTR || result == -EAGAIN) result = 0;                              // again, below
  else if (result == -EINVAL && end_direct(slot.fd)) result = 0;                      // likewise
  else if (result < 0) slot.error = result;
  else if (result == 0 && direction_ == Direction::kWrite) slot.error = -EIO;         // a file that takes nothing
  else if (result == 0) slot.wanted = slot.done;                                      // the end of the file
  slot.done += result > 0 ? static_cast<size_t>(result) : 0;
  // A file whose length is no multiple of the alignment: O_DIRECT cannot ask for nothing at its end.
  if (direction_ == Direction::kRead && slot.done % kAlignment != 0) slot.wanted = slot.done;
  if (direction_ == Direction::kWrite && slot.done % kAlignment != 0) end_direct(slot.fd);
  slot.ended = slot.error != 0 || slot.done == slot.wanted;
}

void TransferRing::reap_one() {
  io_uring_cqe* event = nullptr;
  int error;
  do error = io_uring_wait_cqe(&ring_, &event);
  while (error == -EINTR || error == -EAGAIN);
  DSM_CHECK(error == 0);
  const auto n = static_cast<unsigned>(io_uring_cqe_get_data64(event));
  const int result = event->res;
  io_uring_cqe_seen(&ring_, event);
  complete(n, result);
  if (!slots_[n].ended) submit(n);
}

int64_t TransferRing::await(unsigned n) {
  Slot& slot = slots_[n];
  DSM_CHECK(slot.busy);
  while (!slot.ended) reap_one();
  slot.busy = false;
  return slot.error != 0 ? slot.error : static_cast<int64_t>(slot.done);
}

void TransferRing::settle() {
  for (unsigned n = 0; n < kBuffers; ++n)
    if (slots_[n].busy) await(n);
}

}  // namespace dsm::os
