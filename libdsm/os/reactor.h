// SPDX-License-Identifier: Apache-2.0
// Reactor: one wait for many descriptors. Two implementations: io_uring (uring_reactor.h) and, where that is switched
// off or too old, epoll (epoll_reactor.h).
//
// One thread makes, runs and destroys a Reactor. Callbacks run inside run() only and may call everything but run().
//  1. Nothing is called for a watch after unwatch(), also when the event was already in the queue.
//  2. A watch reports the state at its start, and then each change ("edge"): callbacks take all there is.
//  3. While drained(), receiving directly from a watched stream cannot overtake bytes that the reactor holds.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "libdsm/base/result.h"

namespace dsm::os {

using WatchId = uint32_t;  // never 0

class Reactor {
 public:
  using Ready = std::function<void(uint32_t revents)>;
  // Bytes that have been received; or an empty span and 0 (end of the stream) or an errno, and then nothing more.
  using Arrived = std::function<void(std::span<const std::byte> bytes, int error)>;

  virtual ~Reactor() = default;
  Reactor() = default;
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // `events` as for poll(2). A descriptor that cannot be polled reports POLLNVAL once. It stays open until unwatch().
  virtual WatchId watch(int fd, uint32_t events, Ready ready) = 0;
  // Receives from a stream socket and hands the bytes out.
  virtual WatchId watch_stream(int fd, Arrived arrived) = 0;
  virtual void unwatch(WatchId id) = 0;

  // Hands out what has happened; if nothing has, waits at most `timeout_ns` (0: not at all, UINT64_MAX: no limit).
  // A signal ends the wait. Returns the number of callbacks.
  virtual size_t run(uint64_t timeout_ns) = 0;
  virtual bool drained() const = 0;
  virtual const char* name() const = 0;

  uint64_t system_calls() const { return system_calls_; }

 protected:
  uint64_t system_calls_ = 0;
};

// The best that this kernel allows.
Result<std::unique_ptr<Reactor>> make_reactor();

}  // namespace dsm::os
