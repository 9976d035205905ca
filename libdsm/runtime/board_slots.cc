// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/board_slots.h"

#include "libdsm/runtime/runtime_process.h"

namespace dsm::runtime::board {
namespace {

void raise_high_water(abi::Board& board, uint32_t index) {
  uint32_t seen = __atomic_load_n(&board.high_water, __ATOMIC_RELAXED);
  while (seen <= index &&
         !__atomic_compare_exchange_n(&board.high_water, &seen, index + 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
}

void remember_ended(const abi::ThreadSlot& slot) {
  abi::Board& board = *process().board;
  const uint32_t at = __atomic_fetch_add(&board.ended_ever, 1, __ATOMIC_RELAXED) % abi::kEndedSlots;
  board.ended[at] = slot;
}

}  // namespace

void enter(Thread& thread, abi::ThreadState state, uint32_t node) {
  abi::ThreadSlot* slot = thread.board;
  if (slot == nullptr) return;
  if (slot->tid != static_cast<uint32_t>(thread.tid)) *slot = {};
  slot->tid = static_cast<uint32_t>(thread.tid);
  slot->kernel_tid = static_cast<uint32_t>(thread.kernel_tid);
  slot->node = node;
  if (node < 32) slot->visited_nodes |= 1u << node;
  thread.remote.cpu_base_ns = kernel_thread_cpu_ns() - slot->cpu_ns;
  set_state(thread, state);
  raise_high_water(*process().board, thread.index);
}

void leave(Thread& thread) {
  if (thread.board == nullptr) return;
  const abi::ThreadState before = thread.board->state;
  const bool ran_here = before == abi::ThreadState::kRunning || before == abi::ThreadState::kBlocked;
  update_cpu_time(thread);
  set_state(thread, abi::ThreadState::kFree);
  if (ran_here) remember_ended(*thread.board);
}

void count_creation(uint32_t node) {
  abi::Board& board = *process().board;
  __atomic_fetch_add(&board.threads_ever, 1, __ATOMIC_RELAXED);
  if (node == 0) return;
  __atomic_fetch_add(&board.remote_threads_ever, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&board.remote_by_node[node], 1, __ATOMIC_RELAXED);
}

void count_migration(Thread& thread, uint32_t to_node) {
  if (thread.board == nullptr) return;
  thread.board->migrations++;
  thread.board->node = to_node;
  if (to_node < 32) thread.board->visited_nodes |= 1u << to_node;
}

uint64_t kernel_thread_cpu_ns() {
  uint64_t time[2] = {0, 0};
  sys(__NR_clock_gettime, 3 /*CLOCK_THREAD_CPUTIME_ID*/, time);
  return time[0] * 1'000'000'000 + time[1];
}

uint64_t thread_cpu_ns(const Thread& thread) { return kernel_thread_cpu_ns() - thread.remote.cpu_base_ns; }

void update_cpu_time(Thread& thread) {
  if (thread.board != nullptr) thread.board->cpu_ns = thread_cpu_ns(thread);
}

}  // namespace dsm::runtime::board
