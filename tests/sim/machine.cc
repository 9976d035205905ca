// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/machine.h"

#include <algorithm>

#include "libdsm/base/check.h"

namespace dsm::sim {
Machine::Machine(const Scenario& scenario)
    : map_(scenario.map),
      threads_(scenario.threads),
      network_(scenario.nodes),
      oracle_(scenario.pages),
      fault_limit_(scenario.timing.fault_limit) {
  directory_.nodes = scenario.nodes;
  directory_.mutation = scenario.cache.mutation;
  for (uint16_t i = 0; i < scenario.nodes; ++i) {
    coherence::CacheConfig cache = scenario.cache;
    cache.self = NodeId{i};
    nodes_.add(ModelNode(cache, directory_config(NodeId{i}), map_));
  }
  for (uint16_t s = 0; s < map_.shards(); ++s) host_of_.push_back(map_.host_of(ShardId{s}));
  for (ScriptedThread& thread : threads_)
    if (thread.script.empty()) thread.state = ScriptedThread::State::kDone;
}

pagedir::DirectoryConfig Machine::directory_config(NodeId self) const {
  pagedir::DirectoryConfig config = directory_;
  config.self = self;
  return config;
}

// ---- Threads ---------------------------------------------------------------------------------------------------

void Machine::run_instruction(uint32_t index) {
  ScriptedThread& thread = threads_[index];
  DSM_CHECK(thread.state == ScriptedThread::State::kReady);
  ++counters_.steps;
  if (thread.started == 0) thread.started = counters_.steps;
  const Operation& op = thread.operation();
  NodeMemory& memory = edit(thread.node).memory();
  for (unsigned i = 0; i < op.pages; ++i) {
    // At the origin the kernel itself knows what is mapped; elsewhere only a grant can be refused.
    if (thread.node == kOrigin && !origin_map_.allows(op.page[i], op.access[i])) {
      ++counters_.refused;
      return next_operation(index);
    }
    switch (memory.touch(op.page[i], op.access[i])) {
      case NodeMemory::Touch::kFault: return wait_for(thread, index, op.page[i], op.access[i]);
      case NodeMemory::Touch::kFilledNatively: check_native_fill(thread.node, op.page[i]); break;
      case NodeMemory::Touch::kGranted: break;
    }
  }
  if (!retire(thread)) return;
  next_operation(index);
}

void Machine::wait_for(ScriptedThread& thread, uint32_t index, PageNo page, Access access) {
  thread.state = ScriptedThread::State::kWaiting;
  thread.waits_for = page;
  thread.waits_access = access;
  thread.fault_unread = true;
  ++counters_.faults;
  counters_.most_faults = std::max(counters_.most_faults, ++thread.faults);
  if (fault_limit_ != 0 && thread.faults > fault_limit_)
    return failure_.report("invariant 3: thread " + std::to_string(thread.id.value) + " faulted " +
                           std::to_string(thread.faults) + " times in one operation");
  news_.faulted.push_back(index);
}

bool Machine::retire(ScriptedThread& thread) {
  const Operation& op = thread.operation();
  const bool remote = thread.node != kOrigin;
  for (unsigned i = 0; i < op.pages; ++i) {
    const PageNo page = op.page[i];
    const Token seen = *node(thread.node).memory().content(page);
    const std::string who = "thread " + std::to_string(thread.id.value) + " on node " + std::to_string(thread.node.value);
    if (seen != oracle_.truth(page))
      failure_.report((oracle_.of_earlier_life(page, seen) ? "invariant 7: " : "invariant 2: ") + who + " read " +
                      (seen == kZero ? "zeros" : "an old value") + " of page " + std::to_string(page.value));
    if (remote && !origin_map_.allows(page, op.access[i]) && !ranges_.dropping(page))
      failure_.report(who + " used page " + std::to_string(page.value) + " against the address map");
    if (remote && ranges_.recalled(page, op.access[i]))
      failure_.report(who + " used page " + std::to_string(page.value) + " in a recalled range");
  }
  if (failure_) return false;
  for (unsigned i = 0; i < op.pages; ++i)
    if (op.access[i] == Access::kWrite) edit(thread.node).memory().write(op.page[i], oracle_.store(op.page[i]));
  for (unsigned i = 0; i < op.pages; ++i) check_page(op.page[i]);
  ++counters_.retired;
  return !failure_;
}

void Machine::next_operation(uint32_t index) {
  ScriptedThread& thread = threads_[index];
  thread.started = 0;
  thread.faults = 0;
  thread.fault_unread = false;
  if (++thread.next == thread.script.size()) {
    thread.state = ScriptedThread::State::kDone;
    return;
  }
  thread.state = ScriptedThread::State::kReady;
  news_.ready.push_back(index);
}

void Machine::move_thread(uint32_t index, NodeId to) { threads_[index].node = to; }

void Machine::wake(NodeId where, const PageRange& range) {
  for (uint32_t i = 0; i < threads_.size(); ++i) {
    ScriptedThread& thread = threads_[i];
    if (!thread.waiting() || thread.node != where || !range.contains(thread.waits_for)) continue;
    thread.state = ScriptedThread::State::kReady;
    thread.fault_unread = false;
    news_.ready.push_back(i);
  }
}

void Machine::refuse(NodeId where, const coherence::RaiseFault& raise) {
  const std::string what = "refusal for thread " + std::to_string(raise.thread.value);
  const auto it = std::find_if(threads_.begin(), threads_.end(), [&](const ScriptedThread& t) { return t.id == raise.thread; });
  if (it == threads_.end() || it->node != where || !it->waiting() || it->waits_for != page_of(raise.address))
    return failure_.report(what + ", which does not wait for that page");
  if (!origin_map_.forbade_since(it->waits_for, it->waits_access, it->started))
    return failure_.report(what + " of an access that the address map allows");
  ++counters_.refused;
  next_operation(static_cast<uint32_t>(it - threads_.begin()));
}

// ---- Agents ----------------------------------------------------------------------------------------------------

void Machine::take_fault(uint32_t index, TimeNs now) {
  ScriptedThread& thread = threads_[index];
  DSM_CHECK(thread.waiting() && thread.fault_unread);
  thread.fault_unread = false;
  edit(thread.node).fault({thread.waits_for, thread.waits_access, thread.id, thread.waits_for.address()}, now);
  settle(thread.node, false);
}

void Machine::deliver(Network::Channel channel, TimeNs now) {
  const NodeId to = network_.destination(channel);
  Packet packet = network_.pop(channel);
  const bool directory = wire::is_for_directory(packet.envelope.message);
  if (directory && dead_.contains(to)) {
    ++counters_.steps;
    return;
  }
  edit(to).receive(std::move(packet), now, effects_, failure_);
  settle(to, directory);
}

bool Machine::receive_in_place(Network::Channel channel) {
  const NodeId to = network_.destination(channel);
  if (network_.head(channel).in_place || !edit(to).receive_in_place(network_.head(channel), effects_, failure_)) return false;
  network_.mark_in_place(channel);
  settle(to, false);
  return true;
}

void Machine::deliver_own(NodeId id, TimeNs now) {
  if (dead_.contains(id)) edit(id).forget_own_directory_messages();
  if (node(id).has_own_message()) edit(id).receive_own(now, effects_, failure_);
  settle(id, true);
}

void Machine::execute_next(NodeId id, TimeNs now) {
  edit(id).execute_next(now, origin_map_, effects_, failure_);
  settle(id, false);
}

void Machine::fire_timer(NodeId id, TimeNs now) {
  edit(id).timer(now);
  settle(id, false);
}

void Machine::tell_blocked(NodeId id, ThreadId thread, TimeNs now) {
  edit(id).thread_blocked(thread, now);
  settle(id, false);
}

void Machine::evict(PageNo page, NodeId from, NodeId to, TimeNs now) {
  edit(from).evict(page, to, now);
  settle(from, false);
}

void Machine::begin_range(RangeId id, const PageRange& range, wire::RangeOp op, TimeNs now) {
  ranges_.begin(id, range, op, oracle_);
  edit(kOrigin).drop_range(id, range, op, now);
  settle(kOrigin, false);
}

void Machine::resume_range(RangeId id, TimeNs now) {
  ranges_.resume(id);
  edit(kOrigin).resume_range(id, now);
  settle(kOrigin, false);
}

void Machine::lose_directory(PageNo page) {
  ++counters_.steps;
  const NodeId dead = host_of_[map_.shard_of(page).value];
  if (dead == kNoHost) return;
  dead_.insert(dead);
  for (NodeId& host : host_of_)
    if (host == dead) host = kNoHost;
  edit(dead).lose_directory(directory_config(dead), map_);
}

void Machine::adopt_lost(NodeId host, uint32_t epoch, TimeNs now) {
  wire::NodeSet everyone;
  for (const ModelNode& node : nodes_) everyone.insert(node.id());
  dead_.erase(host);
  for (uint16_t s = 0; s < host_of_.size(); ++s) {
    if (host_of_[s] != kNoHost) continue;
    host_of_[s] = host;
    edit(host).adopt(ShardId{s}, epoch, everyone, now, effects_);
  }
  settle(host, true);
}

// Hands on what a step of a node has caused, and judges the result.
void Machine::settle(NodeId id, bool directory_changed) {
  ++counters_.steps;
  for (const PageRange& range : effects_.zapped) ranges_.zapped(range, {nodes_, network_}, oracle_);
  for (const RangeId range : effects_.finished) {
    ranges_.finish(range, {nodes_, network_}, oracle_, failure_);
    news_.finished.push_back(range);
  }
  for (Packet& packet : effects_.sent) {
    ++counters_.messages;
    news_.sent.push_back(network_.push(std::move(packet)));
  }
  for (const PageNo page : oracle_.pages()) {
    const auto holds = [page](const PageRange& range) { return range.contains(page); };
    if (std::any_of(effects_.touched.begin(), effects_.touched.end(), holds)) check_page(page);
    else if (directory_changed) check_directory(page);
  }
  for (const PageRange& range : effects_.woken) wake(id, range);
  for (const coherence::RaiseFault& raise : effects_.refused) refuse(id, raise);
  effects_.clear();
}

}  // namespace dsm::sim
