// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/uring_reactor.h"

#include <poll.h>
#include <sys/mman.h>

#include <cerrno>

namespace dsm::os {
namespace {

constexpr unsigned kEntries = 256;
constexpr unsigned kCompletions = 2048;
constexpr unsigned kBuffers = 64;
constexpr size_t kBufferBytes = 8192;
constexpr int kBufferGroup = 1;
constexpr uint64_t kNoWatch = 0;  // user_data of requests whose end interests nobody
constexpr size_t kBufferRingBytes = kBuffers * sizeof(io_uring_buf);

}  // namespace

Result<std::unique_ptr<Reactor>> UringReactor::make() {
  std::unique_ptr<UringReactor> reactor(new UringReactor);
  if (int error = reactor->set_up()) return system_error("io_uring is not available", -error);
  return std::unique_ptr<Reactor>(std::move(reactor));
}

int UringReactor::set_up() {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                 IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL;
  params.cq_entries = kCompletions;
  if (int error = io_uring_queue_init_params(kEntries, &ring_, &params)) return error;
  ring_open_ = true;

  void* memory = ::mmap(nullptr, kBufferRingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -errno;
  buffers_ = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uintptr_t>(memory);
  registration.ring_entries = kBuffers;
  registration.bgid = kBufferGroup;
  if (int error = io_uring_register_buf_ring(&ring_, &registration, 0)) return error;
  io_uring_buf_ring_init(buffers_);
  buffer_bytes_ = std::make_unique_for_overwrite<std::byte[]>(kBuffers * kBufferBytes);
  for (unsigned i = 0; i < kBuffers; ++i) give_back(i);
  return 0;
}

UringReactor::~UringReactor() {
  if (ring_open_) io_uring_queue_exit(&ring_);
  if (buffers_) ::munmap(buffers_, kBufferRingBytes);
}

WatchId UringReactor::watch(int fd, uint32_t events, Ready ready) {
  DSM_CHECK(events != 0);
  const WatchId id = watches_.add({.fd = fd, .events = events, .ready = std::move(ready)});
  arm(id, *watches_.find(id));
  return id;
}

WatchId UringReactor::watch_stream(int fd, Arrived arrived) {
  const WatchId id = watches_.add({.fd = fd, .arrived = std::move(arrived)});
  arm(id, *watches_.find(id));
  return id;
}

void UringReactor::unwatch(WatchId id) {
  if (!watches_.find(id)) return;
  watches_.end(id);
  io_uring_sqe* entry = next_entry();
  io_uring_prep_cancel64(entry, id, 0);
  io_uring_sqe_set_data64(entry, kNoWatch);
  // Now, and with its task work: the request holds the descriptor's file, and the caller may close it next.
  ++system_calls_;
  io_uring_submit_and_get_events(&ring_);
}

io_uring_sqe* UringReactor::next_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (!entry) {
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  DSM_CHECK(entry != nullptr);
  return entry;
}

void UringReactor::arm(WatchId id, const Watch& watch) {
  io_uring_sqe* entry = next_entry();
  if (watch.events != 0) {
    io_uring_prep_poll_multishot(entry, watch.fd, watch.events);
  } else {
    io_uring_prep_recv_multishot(entry, watch.fd, nullptr, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = kBufferGroup;
  }
  io_uring_sqe_set_data64(entry, id);
}

void UringReactor::submit() {
  ++system_calls_;
  const int taken = io_uring_submit(&ring_);
  DSM_CHECK(taken >= 0 || taken == -EINTR || taken == -EBUSY || taken == -EAGAIN);
}

bool UringReactor::work_pending() const {
  // Pairs with the kernel's release when it queues task work for us.
  const unsigned flags = __atomic_load_n(ring_.sq.kflags, __ATOMIC_ACQUIRE);
  return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void UringReactor::wait(uint64_t timeout_ns) {
  ++system_calls_;
  io_uring_cqe* event = nullptr;
  if (timeout_ns == UINT64_MAX) {
    io_uring_submit_and_wait(&ring_, 1);
    return;
  }
  __kernel_timespec limit{};
  limit.tv_sec = static_cast<int64_t>(timeout_ns / 1'000'000'000u);
  limit.tv_nsec = static_cast<long long>(timeout_ns % 1'000'000'000u);
  io_uring_submit_and_wait_timeout(&ring_, &event, 1, &limit, nullptr);
}

size_t UringReactor::run(uint64_t timeout_ns) {
  watches_.bury();
  size_t handled = drain();
  if (io_uring_sq_ready(&ring_) > 0) {
    submit();
    handled += drain();
  }
  if (handled == 0 && work_pending()) {
    ++system_calls_;
    io_uring_get_events(&ring_);
    handled += drain();
  }
  if (handled == 0 && timeout_ns > 0) {
    wait(timeout_ns);
    handled += drain();
  }
  return handled;
}

size_t UringReactor::drain() {
  size_t handled = 0;
  io_uring_cqe* event = nullptr;
  while (io_uring_peek_cqe(&ring_, &event) == 0) {
    const io_uring_cqe copy = *event;
    io_uring_cqe_seen(&ring_, event);
    if (copy.user_data == kNoWatch) continue;
    complete(copy);
    ++handled;
  }
  return handled;
}

void UringReactor::complete(const io_uring_cqe& event) {
  const WatchId id = static_cast<WatchId>(event.user_data);
  const bool has_buffer = (event.flags & IORING_CQE_F_BUFFER) != 0;
  const unsigned buffer = event.flags >> IORING_CQE_BUFFER_SHIFT;
  Watch* watch = watches_.find(id);
  if (!watch) {
    if (has_buffer) give_back(buffer);
    return;
  }
  const bool goes_on = (event.flags & IORING_CQE_F_MORE) != 0;
  if (watch->events != 0) {
    watch->ready(event.res >= 0 ? static_cast<uint32_t>(event.res) : POLLNVAL);
    if (!goes_on && event.res >= 0 && watches_.find(id) == watch) arm(id, *watch);
    return;
  }
  if (event.res > 0) {
    watch->arrived({&buffer_bytes_[buffer * kBufferBytes], static_cast<size_t>(event.res)}, 0);
    give_back(buffer);
    if (!goes_on && watches_.find(id) == watch) arm(id, *watch);
    return;
  }
  if (has_buffer) give_back(buffer);
  if (event.res == -ENOBUFS || event.res == -EAGAIN || event.res == -EINTR) {
    arm(id, *watch);
  } else {
    watch->arrived({}, -event.res);
  }
}

void UringReactor::give_back(unsigned buffer) {
  io_uring_buf_ring_add(buffers_, &buffer_bytes_[buffer * kBufferBytes], kBufferBytes,
                        static_cast<unsigned short>(buffer), io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(buffers_, 1);
}

}  // namespace dsm::os
