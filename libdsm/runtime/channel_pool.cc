// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/channel_pool.h"

#include <asm-generic/errno.h>

#include "libdsm/runtime/channel.h"
#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime {
namespace {

int64_t open_channel(uint32_t node) {
  abi::Packet packet = {};
  packet.op = abi::Op::kOpenChannel;
  packet.open_channel.node = node;
  int fd = -1;
  if (const int64_t error = process().control.request(packet, -1, &fd); error != 0) return error;
  if (fd < 0) return -EPROTO;
  constexpr int kTcp = 6, kNoDelay = 1, on = 1;
  sys(__NR_setsockopt, fd, kTcp, kNoDelay, &on, sizeof on);   // fails on a Unix socket, which never delays
  return to_private_fd(fd);
}

}  // namespace

int64_t ChannelPool::acquire(uint32_t node) {
  LockGuard guard(lock_);
  if (control_[node] == 0) {
    // The agent's contract: the first channel of a vessel is its control channel.
    const int64_t control = open_channel(node);
    if (is_error(control)) return control;
    __atomic_store_n(&control_[node], static_cast<int32_t>(control), __ATOMIC_RELEASE);
  }
  if (idle_count_[node] > 0) return idle_[node][--idle_count_[node]];
  return open_channel(node);
}

void ChannelPool::give_back(uint32_t node, int fd) {
  {
    LockGuard guard(lock_);
    if (idle_count_[node] < kIdleChannels) {
      idle_[node][idle_count_[node]++] = fd;
      return;
    }
  }
  process().private_fds.close(fd);
}

void ChannelPool::kick(uint32_t node, int32_t tid) {
  channel::Kick kick = {};
  kick.header.type = channel::Type::kKick;
  kick.tid = tid;
  // So few bytes go in one piece, whoever else writes; a failure means that the vessel is gone, which others notice.
  channel::write_all(__atomic_load_n(&control_[node], __ATOMIC_ACQUIRE), &kick, sizeof kick);
}

}  // namespace dsm::runtime
