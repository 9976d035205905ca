// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/background_load.h"

#include <cerrno>

#include "libdsm/base/check.h"
#include "libdsm/ckpt/job_store.h"
#include "libdsm/os/seqpacket.h"

namespace dsm::agent {

Result<std::unique_ptr<BackgroundLoad>> BackgroundLoad::start(LoadOrder order, os::Memfd memory) {
  std::unique_ptr<BackgroundLoad> load(new BackgroundLoad(std::move(order), std::move(memory)));
  if (const int error = os::make_packet_pair(&load->done_, &load->end_of_load_)) return system_error("cannot make a socket pair", -error);
  load->thread_ = std::thread([l = load.get()] {
    l->result_ = l->load();
    l->end_of_load_.reset();  // readable at the other end from now on
  });
  return load;
}

BackgroundLoad::~BackgroundLoad() {
  if (thread_.joinable()) thread_.join();
}

Result<LoadedMemory> BackgroundLoad::take() {
  DSM_CHECK(thread_.joinable());
  thread_.join();
  return std::move(*result_);
}

Result<LoadedMemory> BackgroundLoad::load() {
  auto states = ckpt::inspect_job({order_.root}, order_.job);
  if (!states) return states.error();
  for (const ckpt::GenerationState& state : *states)
    if (state.generation == order_.generation && state.usable()) return load_memory(state.parts, memory_);
  return Error{"generation " + std::to_string(order_.generation) + " of " + order_.job + " below " + order_.root + " is gone", ENOENT};
}

}  // namespace dsm::agent
