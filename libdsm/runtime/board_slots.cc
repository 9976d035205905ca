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

// A thread that comes and goes has one entry. Its migrations are the origin's to tell.
bool add_to_earlier(abi::Board& board, const abi::ThreadSlot& slot) {
  constexpr uint32_t kLookBack = 256;
  const uint32_t ever = __atomic_load_n(&board.ended_ever, __ATOMIC_RELAXED);
  for (uint32_t back = 1; back <= kLookBack && back <= ever; back++) {
    abi::ThreadSlot& entry = board.ended[(ever - back) % abi::kEndedSlots];
    if (entry.tid != slot.tid) continue;
    entry.cpu_ns += slot.cpu_ns;
    entry.local_calls += slot.local_calls;
    entry.delegated_calls += slot.delegated_calls;
    return true;
  }
  return false;
}

void remember_ended(const abi::ThreadSlot& slot) {
  abi::Board& board = *process().board;
  if (is_vessel() && add_to_earlier(board, slot)) return;
  const uint32_t at = __atomic_fetch_add(&board.ended_ever, 1, __ATOMIC_RELAXED) % abi::kEndedSlots;
  board.ended[at] = slot;
  if (is_vessel()) board.ended[at].migrations = 0;
}

uint32_t node_of(const Thread& thread, uint64_t request, bool settled) {
  if (request == 0 || abi::request_tid(request) != static_cast<uint32_t>(thread.tid)) return kNoNode;
  return settled || (request & abi::kIfSettled) == 0 ? abi::request_node(request) : kNoNode;
}

}  // namespace

void enter(Thread& thread, abi::ThreadState state, uint32_t node) {
  abi::ThreadSlot* slot = thread.board;
  if (slot == nullptr) return;
  if (slot->tid != static_cast<uint32_t>(thread.tid) || slot->state == abi::ThreadState::kFree) *slot = {};
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
  const bool ran_here = (before != abi::ThreadState::kShadow && before != abi::ThreadState::kFree) || thread.board->migrations != 0;
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
  __atomic_fetch_add(&process().board->migrations_ever, 1, __ATOMIC_RELAXED);
  thread.board->node = to_node;
  if (to_node < 32) thread.board->visited_nodes |= 1u << to_node;
}

bool has_request(const Thread& thread) {
  if (thread.board == nullptr) return false;
  const uint64_t request = load_ordered(thread.board->move_request);
  return request != 0 && abi::request_tid(request) == static_cast<uint32_t>(thread.tid);
}

uint32_t take_request(Thread& thread, bool settled) {
  if (thread.board == nullptr) return kNoNode;
  return node_of(thread, __atomic_exchange_n(&thread.board->move_request, 0, __ATOMIC_SEQ_CST), settled);
}

uint32_t look_at_request(Thread& thread, uint32_t here, bool settled) {
  if (thread.board == nullptr) return kNoNode;
  uint64_t request = load_ordered(thread.board->move_request);
  while (request != 0) {
    const uint32_t node = node_of(thread, request, settled);
    if (node != kNoNode && node != here) return node;
    // A later request that replaces it at this moment is looked at in its turn.
    if (__atomic_compare_exchange_n(&thread.board->move_request, &request, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) break;
  }
  return kNoNode;
}

bool set_state_and_look(Thread& thread, abi::ThreadState state) {
  store_ordered(thread.board->state, state);
  return has_request(thread);
}

uint64_t kernel_thread_cpu_ns() {
  uint64_t time[2] = {0, 0};
  sys(__NR_clock_gettime, 3 /*CLOCK_THREAD_CPUTIME_ID*/, time);
  return time[0] * 1'000'000'000 + time[1];
}

uint64_t thread_cpu_ns(const Thread& thread) { return kernel_thread_cpu_ns() - thread.remote.cpu_base_ns; }

uint64_t program_thread_cpu_ns(const Thread& thread) {
  return kernel_thread_cpu_ns() + static_cast<uint64_t>(thread.remote.cpu_carry_ns);
}

void update_cpu_time(Thread& thread) {
  if (thread.board != nullptr) thread.board->cpu_ns = thread_cpu_ns(thread);
}

}  // namespace dsm::runtime::board
