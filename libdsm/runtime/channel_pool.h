// SPDX-License-Identifier: Apache-2.0
// The origin's channels: idle ones to each node's vessel, to be used again by the next thread that is placed there, and
// one control channel a vessel.
//
// Context: as lock.h; kick() also in signal handlers.
#pragma once
#include "libdsm/runtime/lock.h"

namespace dsm::runtime {

class ChannelPool {
 public:
  static constexpr uint32_t kMaxNodes = 256;

  // A channel to an idle worker on `node`: a pooled one, or a new one through the agent; -errno if there is none to have.
  int64_t acquire(uint32_t node);
  // After the worker has said kExit or kHome, and nothing else can come on it.
  void give_back(uint32_t node, int fd);
  // Makes the thread on `node` ask its shadow, for a signal or whether to move. Only for nodes to which a channel was acquired before.
  void kick(uint32_t node, int32_t tid);

 private:
  static constexpr uint32_t kIdleChannels = 128;   // a node; further ones are closed, and their workers end

  Lock lock_;
  int32_t control_[kMaxNodes] = {};                // 0: not opened yet; written once
  uint32_t idle_count_[kMaxNodes] = {};
  int32_t idle_[kMaxNodes][kIdleChannels] = {};
};

}  // namespace dsm::runtime
