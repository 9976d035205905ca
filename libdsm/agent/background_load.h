// SPDX-License-Identifier: Apache-2.0
// BackgroundLoad: fills a memfd from a generation, on a thread of its own.
//
// Threads and invariants as CheckpointTask's; it cannot be cancelled, since nothing goes on without it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "libdsm/agent/checkpoint_loader.h"
#include "libdsm/os/fd.h"

namespace dsm::agent {

struct LoadOrder {
  std::string root, job;
  uint64_t generation = 0;   // committed
};

class BackgroundLoad {
 public:
  static Result<std::unique_ptr<BackgroundLoad>> start(LoadOrder order, os::Memfd memory);
  ~BackgroundLoad();
  BackgroundLoad(const BackgroundLoad&) = delete;
  BackgroundLoad& operator=(const BackgroundLoad&) = delete;

  int completion_fd() const { return done_.get(); }
  Result<LoadedMemory> take();

 private:
  BackgroundLoad(LoadOrder order, os::Memfd memory) : order_(std::move(order)), memory_(std::move(memory)) {}
  Result<LoadedMemory> load();

  LoadOrder order_;
  os::Memfd memory_;
  os::Fd done_, end_of_load_;
  std::optional<Result<LoadedMemory>> result_;  // the thread's until it has been joined
  std::thread thread_;
};

}  // namespace dsm::agent
