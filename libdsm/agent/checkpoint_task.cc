// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/checkpoint_task.h"

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "libdsm/agent/checkpoint_writer.h"
#include "libdsm/base/check.h"
#include "libdsm/os/files.h"
#include "libdsm/os/seqpacket.h"

namespace dsm::agent {
namespace {

constexpr size_t kGroupsBetweenLooks = 16;  // 4 MiB: some milliseconds of a disk

}  // namespace

Result<std::unique_ptr<CheckpointTask>> CheckpointTask::start(CheckpointOrder order) {
  std::unique_ptr<CheckpointTask> task(new CheckpointTask);
  task->order_ = std::move(order);
  if (const int error = os::make_packet_pair(&task->done_, &task->end_of_task_)) return system_error("cannot make a socket pair", -error);
  task->thread_ = std::thread([t = task.get()] {
    t->result_ = t->write();
    t->end_of_task_.reset();  // readable at the other end from now on
  });
  return task;
}

CheckpointTask::~CheckpointTask() {
  if (!thread_.joinable()) return;
  cancel();
  thread_.join();
}

Result<ckpt::PreparedPart> CheckpointTask::take() {
  DSM_CHECK(thread_.joinable());
  thread_.join();
  return std::move(*result_);
}

Result<ckpt::PreparedPart> CheckpointTask::write() const {
  auto begun = ckpt::GenerationWriter::begin(order_.root, order_.identity, order_.options);
  if (!begun.ok()) return begun.error();
  ckpt::GenerationWriter& out = **begun;
  if (auto image = write_process_image(out); !image.ok()) return image.error();
  for (size_t at = 0; at < order_.plan.size(); at += kGroupsBetweenLooks) {
    if (cancelled_.load(std::memory_order_relaxed)) return Error{"the checkpoint was given up", ECANCELED};
    const size_t groups = std::min(kGroupsBetweenLooks, order_.plan.size() - at);
    if (auto written = write_pages(std::span(order_.plan).subspan(at, groups), order_.memory, out); !written.ok()) return written.error();
  }
  if (cancelled_.load(std::memory_order_relaxed)) return Error{"the checkpoint was given up", ECANCELED};
  return out.finish();
}

Status CheckpointTask::write_process_image(ckpt::GenerationWriter& out) const {
  if (!order_.process_image) return success();
  std::vector<std::byte> image(os::bytes_behind(order_.process_image.get(), 0));
  if (const int error = os::read_file_padded(order_.process_image.get(), 0, image)) return system_error("cannot read the process image", -error);
  return out.add_section(kProcessSection, image);
}

}  // namespace dsm::agent
