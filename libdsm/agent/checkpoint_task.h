// SPDX-License-Identifier: Apache-2.0
// CheckpointTask: writes this node's part of a generation on a thread of its own, so that the agent's goes on serving its sockets
// while a disk is waited for. The world stays stopped until it is done: nothing of what it reads changes.
//
// Threads: the owner's calls all methods; the task's touches only what the order gave it.
// Invariants
//  1. completion_fd() becomes readable once, when the part is prepared or has failed; take() then does not wait.
//  2. A task that is cancelled or destroyed before it was done leaves no part. Both wait for at most what the disk has under way.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "libdsm/agent/cut_plan.h"
#include "libdsm/ckpt/generation_writer.h"
#include "libdsm/os/memfd.h"

namespace dsm::agent {

inline constexpr const char* kProcessSection = "process";

struct CheckpointOrder {
  std::string root;              // --ckpt-dir
  ckpt::PartIdentity identity;
  ckpt::WriterOptions options;
  CutPlan plan;
  os::Memfd memory;              // a duplicate of the node's
  os::Fd process_image;          // node 0: what the runtime handed over; else none
};

class CheckpointTask {
 public:
  static Result<std::unique_ptr<CheckpointTask>> start(CheckpointOrder order);
  ~CheckpointTask();
  CheckpointTask(const CheckpointTask&) = delete;
  CheckpointTask& operator=(const CheckpointTask&) = delete;

  int completion_fd() const { return done_.get(); }
  // The part, or why there is none (ECANCELED after cancel()). Once.
  Result<ckpt::PreparedPart> take();
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  CheckpointTask() = default;
  Result<ckpt::PreparedPart> write() const;
  Status write_process_image(ckpt::GenerationWriter& out) const;

  CheckpointOrder order_;
  std::atomic<bool> cancelled_{false};
  os::Fd done_, end_of_task_;
  std::optional<Result<ckpt::PreparedPart>> result_;  // the task's until it has been joined
  std::thread thread_;
};

}  // namespace dsm::agent
