// SPDX-License-Identifier: Apache-2.0
// Entries of the thread board (abi.h). Relaxed stores by the thread that owns the slot, but for the counters of the whole
// process, which are added to atomically. Any context.
#pragma once
#include "libdsm/runtime/atomics.h"
#include "libdsm/runtime/thread.h"

namespace dsm::runtime::board {

// A thread of the program begins (or goes on) on `node`; `state` as it is in this process.
void enter(Thread& thread, abi::ThreadState state, uint32_t node);
// It has left this process or ended: the slot keeps its numbers until it is used again. What it did here is remembered under its tid.
void leave(Thread& thread);
// The program has created a thread, on `node`.
void count_creation(uint32_t node);
void count_migration(Thread& thread, uint32_t to_node);

// ---- Requests to move (migrate.h) -------------------------------------------------------------------------------------
inline constexpr uint32_t kNoNode = ~uint32_t{0};
// Its slot asks this thread to move.
bool has_request(const Thread& thread);
// The node that the request names, and the request is gone; kNoNode if there is none, or if it is one for settled threads only and
// this one is not `settled`.
uint32_t take_request(Thread& thread, bool settled = true);
// The node of a request that stays where it is, if the thread has to leave this node for it; others are void, and gone. kNoNode: none.
uint32_t look_at_request(Thread& thread, uint32_t here, bool settled);
// The end of a call that may sleep: the slot's state, then a look at the request, in this order. True if there is one.
bool set_state_and_look(Thread& thread, abi::ThreadState state);

inline void set_state(Thread& thread, abi::ThreadState state) {
  if (thread.board != nullptr) store_release(thread.board->state, state);
}

// CPU time of the calling kernel thread.
uint64_t kernel_thread_cpu_ns();
// What the program's thread, the calling one, has consumed in this process since it came, in ns.
uint64_t thread_cpu_ns(const Thread& thread);
// What it has consumed on all its nodes.
uint64_t program_thread_cpu_ns(const Thread& thread);
// thread.board->cpu_ns := what the program's thread has consumed in this process.
void update_cpu_time(Thread& thread);

}  // namespace dsm::runtime::board
