// SPDX-License-Identifier: Apache-2.0
// What a thread has to do with other nodes, and what its exit owes to others; part of its block (thread.h).
#pragma once
#include <stdint.h>

namespace dsm::runtime {

// What the kernel thread of a block is.
enum class ThreadKind : uint32_t {
  kProgram = 0,       // runs the program here
  kShadow = 1,        // origin: owns the tid of a thread that runs on `node`
  kIdleWorker = 2,    // vessel: parked on its channel
  kBusyWorker = 3,    // vessel: runs a thread of the program
  kService = 4,       // the runtime's own (vessel main loop)
  kNativeChild = 5,   // a child process that shares the address space until it execs
};

struct ThreadRemote {
  ThreadKind kind;
  uint32_t node;             // where the program's thread runs
  int32_t channel_fd;        // shadow, worker; -1 or 0 if none
  uint32_t spin_misses;      // waits in a row that spinning did not shorten (channel.h)
  bool idle;                 // shadow: no call in progress, so a signal needs a Kick
  bool started;              // shadow: the worker has said so; an earlier Kick would find nobody
  uint64_t clear_tid;        // CLONE_CHILD_CLEARTID or set_tid_address; the origin's copy counts
  uint64_t robust_head, robust_bytes;   // set_robust_list; kept where the thread runs
  uint64_t cpu_base_ns;      // CPU time of the kernel thread when the program's thread came (board_slots.h)
  int64_t cpu_carry_ns;      // CPU time of the program's thread - that of its kernel thread here, which began at 0
  uint64_t came_cpu_ns;      // CPU time of the kernel thread when a move brought the program's thread here; 0: it began here
  bool moving;               // shadow: what is being shipped is a move, to be counted when it has arrived
  uint64_t set_tid;          // CLONE_CHILD_SETTID, for the first instructions of the thread
  uint32_t called_from;      // the node that it came home from for a process image, and goes back to behind it; 0: none
  uint32_t image_index;      // a restored thread that has not gone on yet: its record in the image
  void* exec_array;          // child of vfork: what its parent has to give back to the arena (lone_exec.cc)
  uint64_t exec_bytes;
};

}  // namespace dsm::runtime
