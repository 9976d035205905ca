// SPDX-License-Identifier: Apache-2.0
// Reactor on epoll, for kernels where io_uring is switched off (kernel.io_uring_disabled) or older than 6.1.
#pragma once
#include <memory>
#include <vector>

#include "libdsm/os/reactor.h"
#include "libdsm/os/watch_table.h"

namespace dsm::os {

class EpollReactor final : public Reactor {
 public:
  static Result<std::unique_ptr<Reactor>> make();

  WatchId watch(int fd, uint32_t events, Ready ready) override;
  WatchId watch_stream(int fd, Arrived arrived) override;
  void unwatch(WatchId id) override;
  size_t run(uint64_t timeout_ns) override;
  bool drained() const override { return true; }
  const char* name() const override { return "epoll"; }

 private:
  explicit EpollReactor(Fd fd);
  void enroll(WatchId id, uint32_t events);
  int wait(uint64_t timeout_ns);
  size_t receive(WatchId id, Watch& watch);

  Fd epoll_;
  std::vector<std::byte> buffer_;
  std::vector<WatchId> refused_;  // epoll does not take them; told from run()
  WatchTable watches_;
};

}  // namespace dsm::os
