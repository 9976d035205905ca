// SPDX-License-Identifier: Apache-2.0
// What the process as a whole knows of threads on other nodes and of its signals, part of the root object (runtime_process.h).
#pragma once
#include <stdint.h>

#include "libdsm/runtime/channel_pool.h"
#include "libdsm/runtime/lock.h"
#include "libdsm/runtime/signal_table.h"

namespace dsm::image {
struct View;
}

namespace dsm::runtime {

class ImageBuilder;

// What the launcher's stdin, stdout and stderr are: the program may put other files under these numbers.
struct StandardFile {
  uint64_t device, inode;
};

struct ImageStop {              // image_stop.h
  enum class Phase : uint32_t { kNone = 0, kPark = 1, kReport = 2 };
  Phase phase;                  // futex
  ImageBuilder* builder;        // while kReport
};

struct RemoteProcess {
  uint32_t threads_placed;      // atomic; threads that were created so far (the main thread is number 0)
  uint32_t local_threads;       // atomic; threads that run at the origin now (Placement kPlaceFill)
  ChannelPool channels;         // application
  SignalTable signals;          // application
  Lock fork_lock;               // application; one fork at a time
  uint32_t stop_request;        // futex: 1 while a fork wants the local threads still
  ImageStop image_stop;         // application
  StandardFile standard[3];     // application
  const image::View* restoring; // a restored application: its image, while its threads are made (restore_threads.cc)
  bool resumes_output;          // ... in the job that it was imaged in
  uint32_t restored_threads;    // atomic; that stand ready
  uint32_t restore_gate;        // futex: 1 when all of them go on
  uint32_t threads_moved;       // atomic; not 0 once a thread has left this process alive
  uint32_t generation;          // vessel: rises when the program's process is gone
};

}  // namespace dsm::runtime
