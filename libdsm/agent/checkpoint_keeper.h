// SPDX-License-Identifier: Apache-2.0
// CheckpointKeeper: node 0's side of a job's checkpoints. It writes each process image that the runtime hands over, with all pages, as the
// job's next generation, and fills the memory of a program that goes on from one. Both on a thread of their own (checkpoint_task.h,
// background_load.h): the agent's goes on serving.
//
// While an image is handed over the program stands still and the whole address space is frozen at the origin, as for a fork: every page that
// has content anywhere is here, with its newest bytes.
//
// Threads: the agent's only. Errors: 0 or -errno for the runtime; the line in the log says what happened.
#pragma once
#include <memory>
#include <optional>

#include "libdsm/agent/agent_config.h"
#include "libdsm/agent/background_load.h"
#include "libdsm/agent/checkpoint_task.h"
#include "libdsm/agent/engine.h"

namespace dsm::agent {

class CheckpointKeeper {
 public:
  CheckpointKeeper(const Configure& config, const Log& log);

  // Begins a generation. 0: completion_fd() becomes readable, then finish() must be called.
  int begin(os::Fd image, const Engine& engine, const OriginSpace& space, const NodeMemory& memory);
  // Prepared and committed (0), or not; older generations than the one before are removed.
  int finish(TimeNs now);

  // The program of this job goes on from a generation, and its memory has not been filled yet.
  bool has_to_load() const { return !config_.restore_dir.empty() && !loaded_; }
  // `memory` is empty. 0: completion_fd() becomes readable, then loaded() must be called.
  int begin_load(const os::Memfd& memory);
  Status loaded();

  // Whether a checkpoint is due by --ckpt-every. One that fails makes the next one wait longer.
  bool due(TimeNs now) const { return now >= next_due_; }
  TimeNs next_due() const { return next_due_; }   // ~0: never
  void program_runs(TimeNs now);
  // A thread has been asked to make one: look again soon.
  void asked(TimeNs now);

  bool busy() const { return task_ || load_; }
  int completion_fd() const { return task_ ? task_->completion_fd() : load_->completion_fd(); }

 private:
  int write_and_commit();
  int commit(const ckpt::PreparedPart& part);

  const Configure& config_;
  const Log& log_;
  uint64_t generation_;   // the next one
  TimeNs next_due_ = ~TimeNs{0};
  unsigned failures_ = 0;   // in a row
  std::unique_ptr<CheckpointTask> task_;
  std::unique_ptr<BackgroundLoad> load_;
  bool loaded_ = false;
};

}  // namespace dsm::agent
