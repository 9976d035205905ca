// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/checkpoint_keeper.h"

#include <algorithm>
#include <cerrno>

#include "libdsm/agent/cut_plan.h"
#include "libdsm/base/check.h"
#include "libdsm/ckpt/commit_record.h"
#include "libdsm/ckpt/prune.h"

namespace dsm::agent {
namespace {

constexpr uint64_t kGenerationsKept = 2;
constexpr TimeNs kMs = 1'000'000;
constexpr TimeNs kAskAgain = 20 * kMs;
constexpr unsigned kMostDoublings = 5;

}  // namespace

CheckpointKeeper::CheckpointKeeper(const Configure& config, const Log& log)
    : config_(config), log_(log), generation_(config.restore_generation + 1) {}

void CheckpointKeeper::program_runs(TimeNs now) {
  if (config_.checkpoint_every_ms != 0 && !config_.checkpoint_dir.empty()) next_due_ = now + config_.checkpoint_every_ms * kMs;
}

void CheckpointKeeper::asked(TimeNs now) { next_due_ = now + kAskAgain; }

int CheckpointKeeper::begin(os::Fd image, const Engine& engine, const OriginSpace& space, const NodeMemory& memory) {
  if (config_.checkpoint_dir.empty()) return -EOPNOTSUPP;
  if (busy()) return -EBUSY;
  coherence::CutSelection selection(engine.cache());
  selection.add_all_shared();
  auto plan = plan_of_origin(selection, engine.cache(), space.map(), memory.pages().memfd());
  os::Memfd pages = memory.pages().memfd().duplicate();
  if (!plan || !pages.valid()) {
    log_.error("no checkpoint: " + (plan ? "cannot duplicate a descriptor" : plan.error().what));
    return -EIO;
  }
  CheckpointOrder order;
  order.root = config_.checkpoint_dir;
  order.identity = {config_.checkpoint_job, config_.checkpoint_program, config_.epoch, generation_, config_.node, 1};   // one part: all pages are here
  order.plan = std::move(*plan);
  order.memory = std::move(pages);
  order.process_image = std::move(image);
  auto task = CheckpointTask::start(std::move(order));
  if (!task) {
    log_.error("no checkpoint: " + task.error().what);
    return task.error().code != 0 ? -task.error().code : -EIO;
  }
  task_ = std::move(*task);
  return 0;
}

int CheckpointKeeper::finish(TimeNs now) {
  DSM_CHECK(task_);
  const int error = write_and_commit();
  failures_ = error == 0 ? 0 : std::min(failures_ + 1, kMostDoublings);
  if (next_due_ != ~TimeNs{0}) next_due_ = now + (config_.checkpoint_every_ms * kMs << failures_);
  return error;
}

int CheckpointKeeper::write_and_commit() {
  auto part = task_->take();
  task_.reset();
  if (!part) {
    log_.error("no checkpoint: " + part.error().what);
    return part.error().code != 0 ? -part.error().code : -EIO;
  }
  return commit(*part);
}

int CheckpointKeeper::commit(const ckpt::PreparedPart& part) {
  const ckpt::CommitRecord record{config_.checkpoint_job, generation_, config_.epoch, config_.node, {part.entry}};
  if (auto written = ckpt::write_commit(config_.checkpoint_dir, record); !written.ok()) {
    log_.error("no checkpoint: " + written.error().what);
    return written.error().code != 0 ? -written.error().code : -EIO;
  }
  log_.info("generation " + std::to_string(generation_) + ": " + std::to_string(part.pages) + " pages");
  // The one before is kept; what is older goes. A disk that does not let go of it costs room, not the checkpoint.
  if (generation_ > kGenerationsKept)
    if (auto pruned = ckpt::prune_before(config_.checkpoint_dir, config_.checkpoint_job, generation_ - kGenerationsKept + 1); !pruned)
      log_.info("old generations stay: " + pruned.error().what);
  ++generation_;
  return 0;
}

int CheckpointKeeper::begin_load(const os::Memfd& memory) {
  DSM_CHECK(has_to_load() && !busy());
  auto load = BackgroundLoad::start({config_.restore_dir, config_.restore_job, config_.restore_generation}, memory.duplicate());
  if (!load) {
    log_.error("cannot load the checkpoint: " + load.error().what);
    return -EIO;
  }
  load_ = std::move(*load);
  return 0;
}

Status CheckpointKeeper::loaded() {
  DSM_CHECK(load_);
  auto result = load_->take();
  load_.reset();
  loaded_ = true;
  if (!result) return result.error();
  log_.info("generation " + std::to_string(config_.restore_generation) + ": " + std::to_string(result->pages) + " pages loaded");
  return success();
}

}  // namespace dsm::agent
