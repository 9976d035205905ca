// SPDX-License-Identifier: Apache-2.0
// What the process as a whole knows of threads on other nodes and of its signals, part of the root object (runtime_process.h).
#pragma once
#include <stdint.h>

#include "libdsm/runtime/channel_pool.h"
#include "libdsm/runtime/lock.h"
#include "libdsm/runtime/signal_table.h"

namespace dsm::runtime {

struct RemoteProcess {
  uint32_t threads_placed;      // atomic; threads that were created so far (the main thread is number 0)
  uint32_t local_threads;       // atomic; threads that run at the origin now (Placement kPlaceFill)
  ChannelPool channels;         // application
  SignalTable signals;          // application
  Lock fork_lock;               // application; one fork at a time
  uint32_t stop_request;        // futex: 1 while a fork wants the local threads still
  uint32_t threads_moved;       // atomic; not 0 once a thread has left this process alive
  uint32_t generation;          // vessel: rises when the program's process is gone
};

}  // namespace dsm::runtime
