// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/thread_board.h"

#include <algorithm>
#include <atomic>

namespace dsm::agent {
namespace {

// Fields are written by other processes; each is read once, whole.
template <class T>
T peek(const T& field) {
  return std::atomic_ref<T>(const_cast<T&>(field)).load(std::memory_order_relaxed);
}
// Pairs with the runtime's release store of kRunning.
abi::ThreadState state_of(const abi::ThreadSlot& slot) {
  return std::atomic_ref<abi::ThreadState>(const_cast<abi::ThreadState&>(slot.state)).load(std::memory_order_acquire);
}

const char* name_of(abi::ThreadState state) {
  switch (state) {
    case abi::ThreadState::kRunning: return "running";
    case abi::ThreadState::kBlocked:
    case abi::ThreadState::kWaiting: return "blocked";
    case abi::ThreadState::kShadow: return "shadow";
    case abi::ThreadState::kFree: break;
  }
  return "free";
}

stats::ThreadStats stats_of(const abi::ThreadSlot& slot, NodeId node, const char* state) {
  stats::ThreadStats t;
  t.tid = static_cast<int>(peek(slot.tid));
  t.node = node.value;
  t.state = state;
  t.migrations = peek(slot.migrations);
  t.cpu_ns = peek(slot.cpu_ns);
  t.local_calls = peek(slot.local_calls);
  t.delegated_calls = peek(slot.delegated_calls);
  return t;
}

}  // namespace

ThreadBoard::ThreadBoard(os::Fd memfd) : mapping_(std::move(memfd), sizeof(abi::Board)) {}

uint32_t ThreadBoard::slots_in_use() const {
  return board() ? std::min(peek(board()->high_water), abi::kBoardSlots) : 0;
}

bool ThreadBoard::running(ThreadId kernel_tid) {
  uint32_t used = slots_in_use();
  auto is_it = [&](uint32_t i) { return peek(board()->slot[i].kernel_tid) == static_cast<uint32_t>(kernel_tid.value); };
  if (last_slot_ >= used || !is_it(last_slot_)) {
    uint32_t i = 0;
    while (i < used && !is_it(i)) ++i;
    if (i == used) return true;
    last_slot_ = i;
  }
  return state_of(board()->slot[last_slot_]) == abi::ThreadState::kRunning;
}

void ThreadBoard::list_living(NodeId self, std::vector<stats::ThreadStats>& out) const {
  for (uint32_t i = 0; i < slots_in_use(); ++i) {
    const abi::ThreadSlot& slot = board()->slot[i];
    abi::ThreadState state = state_of(slot);
    // The origin's slot of a remote thread is its shadow; the thread itself is listed by the node where it runs.
    if (state == abi::ThreadState::kFree || state == abi::ThreadState::kShadow || peek(slot.node) != self.value) continue;
    out.push_back(stats_of(slot, self, name_of(state)));
  }
}

void ThreadBoard::list(NodeId self, std::vector<stats::ThreadStats>& out) const {
  list_living(self, out);
  if (!board()) return;
  const uint32_t ended = std::min(peek(board()->ended_ever), abi::kEndedSlots);
  for (uint32_t i = 0; i < ended; ++i) out.push_back(stats_of(board()->ended[i], self, "ended"));
}

uint64_t ThreadBoard::threads_here(NodeId self) const {
  std::vector<stats::ThreadStats> threads;
  list_living(self, threads);
  return threads.size();
}

std::optional<ThreadBoard::Program> ThreadBoard::program_in(uint32_t index) const {
  abi::ThreadSlot& slot = static_cast<abi::Board*>(mapping_.address())->slot[index];
  // In one order with the runtime's own look at the request (board::set_state_and_look).
  const auto state = std::atomic_ref<abi::ThreadState>(slot.state).load(std::memory_order_seq_cst);
  if (state == abi::ThreadState::kFree) return std::nullopt;
  Program p{index, peek(slot.tid), peek(slot.kernel_tid), peek(slot.node), state == abi::ThreadState::kBlocked, peek(slot.migrations), {}};
  const uint64_t request = peek(slot.move_request);
  if (request != 0 && abi::request_tid(request) == p.tid) p.asked = abi::request_node(request);
  return p;
}

std::optional<ThreadBoard::Program> ThreadBoard::find(int tid) const {
  for (uint32_t i = 0; i < slots_in_use(); ++i)
    if (peek(board()->slot[i].tid) == static_cast<uint32_t>(tid))
      if (auto p = program_in(i)) return p;
  return std::nullopt;
}

std::vector<ThreadBoard::Program> ThreadBoard::list_program() const {
  std::vector<Program> all;
  for (uint32_t i = 0; i < slots_in_use(); ++i)
    if (auto p = program_in(i)) all.push_back(*p);
  return all;
}

bool ThreadBoard::ask_to_move(const Program& thread, unsigned node, bool if_settled) {
  std::atomic_ref<uint64_t>(writable()->slot[thread.slot].move_request)
      .store(abi::move_request(thread.tid, node) | (if_settled ? abi::kIfSettled : 0), std::memory_order_seq_cst);
  auto now = program_in(thread.slot);
  return now && now->tid == thread.tid && !now->blocked;
}

void ThreadBoard::set_drained(unsigned node, bool drained) {
  if (!board() || node >= abi::kBoardNodes) return;
  std::atomic_ref<uint64_t> word(writable()->drained[node / 64]);
  const uint64_t bit = uint64_t{1} << (node % 64);
  if (drained) word.fetch_or(bit);
  else word.fetch_and(~bit);
}

void ThreadBoard::ask_for_checkpoint() {
  if (board() != nullptr) __atomic_store_n(&writable()->checkpoint_request, 1, __ATOMIC_SEQ_CST);
}

bool ThreadBoard::checkpoint_asked_for() const { return board() != nullptr && __atomic_load_n(&board()->checkpoint_request, __ATOMIC_SEQ_CST) != 0; }

void ThreadBoard::set_cpus(const std::vector<unsigned>& cpus_of_nodes) {
  if (!board()) return;
  for (size_t i = 0; i < cpus_of_nodes.size() && i < abi::kBoardNodes; ++i)
    std::atomic_ref<uint16_t>(writable()->cpus[i]).store(static_cast<uint16_t>(std::min(cpus_of_nodes[i], 0xffffu)));
}

uint64_t ThreadBoard::migrations() const { return board() ? peek(board()->migrations_ever) : 0; }

uint64_t ThreadBoard::threads_run(NodeId self) const {
  if (!board()) return 0;
  // The origin's board counts all threads and those that were sent away; a vessel's counts the ones it was given.
  uint64_t all = peek(board()->threads_ever), remote = peek(board()->remote_threads_ever);
  return self == kOrigin ? all - std::min(all, remote) : all;
}

}  // namespace dsm::agent
