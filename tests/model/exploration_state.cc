// SPDX-License-Identifier: Apache-2.0
#include "tests/model/exploration_state.h"

#include <algorithm>
#include <variant>

#include "libdsm/base/check.h"

namespace dsm::model {
namespace {

constexpr TimeNs kBirth = 1'000'000'000;

constexpr PageNo kPage = first_page(BlockNo{0x1000}) + 7;

// The page's shard is the only one of its host.
pagedir::ShardMap map_with(NodeId host) {
  pagedir::ShardMap map = pagedir::ShardMap::uniform(kNodes);
  const ShardId shard = map.shard_of(kPage);
  const NodeId another{static_cast<uint16_t>((host.value + 1) % kNodes)};
  for (uint16_t s = 0; s < map.shards(); ++s) map.move(ShardId{s}, ShardId{s} == shard ? host : another);
  return map;
}

sim::Scenario scenario_of(const Limits& limits) {
  sim::Scenario scenario;
  scenario.nodes = kNodes;
  scenario.map = map_with(NodeId{limits.shard_host});
  scenario.cache.nodes = kNodes;
  scenario.cache.hold_ns = limits.hold_ns;
  scenario.cache.lease.mode = coherence::LeaseMode::kOff;
  scenario.cache.prefetch_max = 1;
  scenario.cache.zero_batch_max = 1;
  scenario.cache.mutation = limits.mutation;
  scenario.pages = {kPage};
  for (uint16_t n = 0; n < kNodes; ++n) {
    sim::ScriptedThread thread;
    thread.id = ThreadId{1000 + n};
    thread.node = NodeId{n};
    scenario.threads.push_back(thread);
  }
  return scenario;
}

bool changes_memory(const coherence::Action& action) {
  return !std::holds_alternative<coherence::Send>(action) && !std::holds_alternative<coherence::ForgetSent>(action) &&
         !std::holds_alternative<coherence::RangeFinished>(action);
}

}  // namespace

ExplorationState::ExplorationState(const Limits& limits)
    : machine_(scenario_of(limits)),
      operations_(limits.operations),
      drops_(limits.drops),
      losses_(limits.losses) {
  clock_.fill(kBirth);
  // The page is alone in its block.
  const PageNo first = first_page(kPage.block());
  machine_.origin_map().set({first, kPage.index()}, sim::Protection::kUnmapped, 0);
  machine_.origin_map().set({kPage + 1, kPagesPerBlock - kPage.index() - 1}, sim::Protection::kUnmapped, 0);
}

bool ExplorationState::agent_free(NodeId node) const { return machine_.node(node).quiet(); }

bool ExplorationState::thread_could_run(NodeId node) const {
  const sim::ScriptedThread& thread = machine_.threads()[node.value];
  if (thread.state == sim::ScriptedThread::State::kReady) return true;
  return thread.state == sim::ScriptedThread::State::kDone && operations_[node.value] > 0;
}

std::vector<Step> ExplorationState::steps() const {
  std::vector<Step> list;
  for (uint8_t n = 0; n < kNodes; ++n) {
    const NodeId node{n};
    const sim::ScriptedThread& thread = machine_.threads()[n];
    if (thread.state == sim::ScriptedThread::State::kReady) list.push_back({Step::Kind::kRetry, n});
    if (!agent_free(node)) {
      list.push_back({Step::Kind::kContinue, n});
      continue;
    }
    if (thread.waiting() && thread.fault_unread) list.push_back({Step::Kind::kTakeFault, n});
    // The promise of a hold: the woken instruction retires before it ends.
    const bool held = thread.state == sim::ScriptedThread::State::kReady;
    if (!held && machine_.node(node).cache().next_deadline()) list.push_back({Step::Kind::kTimer, n});
  }
  const sim::Network& network = machine_.network();
  for (sim::Network::Channel c = 0; c < network.channels(); ++c) {
    const NodeId to = network.destination(c);
    if (!network.empty(c) && agent_free(to))
      list.push_back({Step::Kind::kDeliver, static_cast<uint8_t>(to.value), static_cast<uint16_t>(c)});
  }
  if (lost_)
    for (uint8_t n = 0; n < kNodes; ++n)
      if (agent_free(NodeId{n})) list.push_back({Step::Kind::kAdoptShard, n});
  return list;
}

std::vector<Step> ExplorationState::operations() const {
  std::vector<Step> list;
  for (uint8_t n = 0; n < kNodes; ++n) {
    if (operations_[n] == 0) continue;
    if (machine_.threads()[n].state == sim::ScriptedThread::State::kDone) {
      list.push_back({Step::Kind::kRead, n});
      list.push_back({Step::Kind::kWrite, n});
    }
    if (!agent_free(NodeId{n})) continue;
    // Nobody evicts what it has not got.
    if (machine_.node(NodeId{n}).memory().content(kPage))
      for (uint16_t to = 0; to < kNodes; ++to)
        if (to != n) list.push_back({Step::Kind::kEvict, n, to});
    if (n == kOrigin.value && drops_ > 0) list.push_back({Step::Kind::kDrop, n});
  }
  if (losses_ > 0) list.push_back({Step::Kind::kLoseDirectory, 0});
  return list;
}

void ExplorationState::perform(NodeId node, Access access) {
  sim::Operation op;
  op.pages = 1;
  op.page[0] = kPage;
  op.access[0] = access;
  sim::ScriptedThread& thread = machine_.threads()[node.value];
  thread.script = {op};
  thread.next = 0;
  thread.state = sim::ScriptedThread::State::kReady;
  --operations_[node.value];
  machine_.run_instruction(node.value);
}

void ExplorationState::read_once_more(NodeId node) {
  operations_[node.value] = 1;
  perform(node, Access::kRead);
  machine_.news() = {};
}

void ExplorationState::take(const Step& step) {
  const NodeId node{step.node};
  switch (step.kind) {
    case Step::Kind::kRead: perform(node, Access::kRead); break;
    case Step::Kind::kWrite: perform(node, Access::kWrite); break;
    case Step::Kind::kRetry: machine_.run_instruction(step.node); break;
    case Step::Kind::kTakeFault:
      machine_.take_fault(step.node, now(node));
      work_on(node);
      break;
    case Step::Kind::kDeliver:
      machine_.deliver(step.argument, now(node));
      work_on(node);
      break;
    case Step::Kind::kContinue: work_on(node); break;
    case Step::Kind::kTimer:
      clock_[step.node] = std::max(now(node), *machine_.node(node).cache().next_deadline());
      machine_.fire_timer(node, now(node));
      work_on(node);
      break;
    case Step::Kind::kEvict:
      --operations_[step.node];
      machine_.evict(kPage, node, NodeId{step.argument}, now(node));
      work_on(node);
      break;
    case Step::Kind::kDrop:
      --operations_[step.node];
      --drops_;
      machine_.begin_range(RangeId{next_range_++}, {kPage, 1}, wire::RangeOp::kDrop, now(node));
      work_on(node);
      break;
    case Step::Kind::kLoseDirectory:
      --losses_;
      lost_ = true;
      machine_.lose_directory(kPage);
      break;
    case Step::Kind::kAdoptShard:
      lost_ = false;
      machine_.adopt_lost(node, next_epoch_++, now(node));
      work_on(node);
      break;
  }
  machine_.news() = {};
}

bool ExplorationState::cut_before_next_action(NodeId node, bool sent) const {
  return sent && changes_memory(machine_.node(node).next_action());
}

// Everything that the agent does before it looks for the next event, up to the next cut. The first thing is always done.
void ExplorationState::work_on(NodeId node) {
  bool sent = false, first = true;
  while (!machine_.failure()) {
    const sim::ModelNode& n = machine_.node(node);
    if (n.busy()) {
      if (!first && cut_before_next_action(node, sent)) return;
      sent |= std::holds_alternative<coherence::Send>(n.next_action());
      machine_.execute_next(node, now(node));
    } else if (n.has_own_message()) {
      if (!first && thread_could_run(node)) return;
      machine_.deliver_own(node, now(node));
    } else {
      return;
    }
    first = false;
  }
}

Hasher::Value ExplorationState::digest() const {
  Hasher hasher;
  const Hasher::Value machine = machine_.digest();
  hasher.add(machine.low);
  hasher.add(machine.high);
  for (const uint8_t left : operations_) hasher.add(left);
  hasher.add(uint64_t{drops_} << 16 | uint64_t{losses_} << 8 | lost_);
  return hasher.value();
}

std::string ExplorationState::to_string(const Step& step) const {
  static constexpr const char* kNames[] = {"reads", "writes", "tries again", "reads its fault", "gets", "goes on",
                                           "timer", "evicts to node ", "drops the range", "the directory of the page is lost", "adopts the shard"};
  std::string text = "n" + std::to_string(step.node) + " " + kNames[static_cast<unsigned>(step.kind)];
  if (step.kind == Step::Kind::kEvict) text += std::to_string(step.argument);
  if (step.kind == Step::Kind::kDeliver) text += " " + wire::to_string(machine_.network().head(step.argument).envelope);
  return text + "   " + machine_.state_of(kPage);
}

}  // namespace dsm::model
