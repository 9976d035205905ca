// SPDX-License-Identifier: Apache-2.0
// Reactor on io_uring: multishot poll for readiness, multishot receive into a shared ring of provided buffers for
// streams. Needs Linux 6.1 (DEFER_TASKRUN with SINGLE_ISSUER): completions then appear only inside our own calls, which
// invariant 3 of reactor.h rests on. TASKRUN_FLAG makes run(0) a load from memory while nothing has happened.
#pragma once
#include <liburing.h>

#include <memory>

#include "libdsm/os/reactor.h"
#include "libdsm/os/watch_table.h"

namespace dsm::os {

class UringReactor final : public Reactor {
 public:
  // The error says why io_uring cannot be used here (-EPERM: switched off by sysctl, -EINVAL: kernel before 6.1).
  static Result<std::unique_ptr<Reactor>> make();
  ~UringReactor() override;

  WatchId watch(int fd, uint32_t events, Ready ready) override;
  WatchId watch_stream(int fd, Arrived arrived) override;
  void unwatch(WatchId id) override;
  size_t run(uint64_t timeout_ns) override;
  bool drained() const override { return io_uring_cq_ready(&ring_) == 0; }
  const char* name() const override { return "io_uring"; }

 private:
  UringReactor() = default;
  int set_up();
  io_uring_sqe* next_entry();
  void arm(WatchId id, const Watch& watch);
  void submit();
  bool work_pending() const;
  void wait(uint64_t timeout_ns);
  size_t drain();
  void complete(const io_uring_cqe& event);
  void give_back(unsigned buffer);

  io_uring ring_{};
  bool ring_open_ = false;
  io_uring_buf_ring* buffers_ = nullptr;
  std::unique_ptr<std::byte[]> buffer_bytes_;
  WatchTable watches_;
};

}  // namespace dsm::os
