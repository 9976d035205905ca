// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/epoll_reactor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>

#include "libdsm/os/socket.h"

namespace dsm::os {
namespace {

constexpr size_t kReceiveBytes = 8192;
constexpr size_t kEventsPerCall = 64;
static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR && POLLHUP == EPOLLHUP &&
              POLLRDHUP == EPOLLRDHUP);

}  // namespace

Result<std::unique_ptr<Reactor>> EpollReactor::make() {
  Fd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd) return system_error("epoll_create1", errno);
  return std::unique_ptr<Reactor>(new EpollReactor(std::move(fd)));
}

EpollReactor::EpollReactor(Fd fd) : epoll_(std::move(fd)), buffer_(kReceiveBytes) {}

WatchId EpollReactor::watch(int fd, uint32_t events, Ready ready) {
  DSM_CHECK(events != 0);
  const WatchId id = watches_.add({.fd = fd, .events = events, .ready = std::move(ready)});
  enroll(id, events);
  return id;
}

WatchId EpollReactor::watch_stream(int fd, Arrived arrived) {
  const WatchId id = watches_.add({.fd = fd, .arrived = std::move(arrived)});
  enroll(id, EPOLLIN | EPOLLRDHUP);
  return id;
}

void EpollReactor::enroll(WatchId id, uint32_t events) {
  Watch& watch = *watches_.find(id);
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.u64 = id;
  ++system_calls_;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, watch.fd, &event) == 0) return;
  if (errno == EEXIST) {  // epoll knows a descriptor once only
    watch.duplicate.reset(::fcntl(watch.fd, F_DUPFD_CLOEXEC, 0));
    if (watch.duplicate && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, watch.duplicate.get(), &event) == 0) return;
  }
  refused_.push_back(id);
}

void EpollReactor::unwatch(WatchId id) {
  Watch* watch = watches_.find(id);
  if (!watch) return;
  ++system_calls_;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watch->duplicate ? watch->duplicate.get() : watch->fd, nullptr);
  watch->duplicate.reset();
  watches_.end(id);
}

int EpollReactor::wait(uint64_t timeout_ns) {
  if (timeout_ns == UINT64_MAX) return -1;
  const uint64_t rounded_up_ms = (timeout_ns + 999'999) / 1'000'000;
  return rounded_up_ms > 60'000 ? 60'000 : static_cast<int>(rounded_up_ms);
}

size_t EpollReactor::run(uint64_t timeout_ns) {
  watches_.bury();
  size_t handled = 0;
  for (WatchId id : std::exchange(refused_, {})) {
    Watch* watch = watches_.find(id);
    if (!watch) continue;
    if (watch->events != 0) watch->ready(POLLNVAL);
    else watch->arrived({}, EBADF);
    ++handled;
  }
  std::array<epoll_event, kEventsPerCall> events;
  ++system_calls_;
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), handled > 0 ? 0 : wait(timeout_ns));
  for (int i = 0; i < count; ++i) {
    const WatchId id = static_cast<WatchId>(events[static_cast<size_t>(i)].data.u64);
    Watch* watch = watches_.find(id);
    if (!watch) continue;
    if (watch->events != 0) {
      watch->ready(events[static_cast<size_t>(i)].events);
      ++handled;
    } else {
      handled += receive(id, *watch);
    }
  }
  return handled;
}

size_t EpollReactor::receive(WatchId id, Watch& watch) {
  for (size_t handled = 0;; ++handled) {
    ++system_calls_;
    const long n = receive_now(watch.fd, buffer_);
    if (n == -EAGAIN) return handled;
    watch.arrived({buffer_.data(), n > 0 ? static_cast<size_t>(n) : 0}, n < 0 ? static_cast<int>(-n) : 0);
    if (n <= 0 || watches_.find(id) != &watch) return handled + 1;
  }
}

}  // namespace dsm::os
