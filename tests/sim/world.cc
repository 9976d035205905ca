// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include <algorithm>

#include "libdsm/base/check.h"
#include "tests/sim/cut_check.h"

namespace dsm::sim {
namespace {

constexpr uint64_t kStepLimit = 4'000'000;   // a schedule has some thousands; beyond this it does not end
constexpr uint64_t kClockUnit = 1024;
constexpr uint64_t kBlockedNs = 50'000;

std::string stamp(uint64_t now, NodeId node) {
  return std::to_string(now) + " n" + std::to_string(node.value) + " ";
}

}  // namespace

World::World(const Scenario& scenario, Trace& trace)
    : scenario_(scenario),
      random_(scenario.seed * 2 + 1),
      machine_(scenario),
      disturber_(scenario.disturbances),
      trace_(trace),
      agents_(scenario.nodes),
      last_arrival_(machine_.network().channels()) {
  for (Agent& agent : agents_) {
    agent.clock_offset = random_.between(1'000'000, 1'000'000'000'000);
    agent.clock_rate = random_.between(kClockUnit - 100, kClockUnit + 100);
  }
}

TimeNs World::clock(NodeId id) const {
  const Agent& a = agents_[id.value];
  return a.clock_offset + now_ * a.clock_rate / kClockUnit;
}

void World::schedule(uint64_t delay, Event::Kind kind, uint32_t index) {
  events_.push({now_ + delay, order_++, kind, index});
}

void World::run() {
  for (uint32_t i = 0; i < machine_.threads().size(); ++i) {
    // Some start late, so that the origin may have touched native blocks by itself before.
    const uint64_t late = random_.percent(50) ? random_.log_uniform(1'000, 500'000) : 0;
    schedule(late + pick(scenario_.timing.instruction), Event::Kind::kThread, i);
  }
  for (uint32_t i = 0; i < disturber_.size(); ++i) schedule(disturber_.starts_at(i), Event::Kind::kDisturbance, i);
  run_to_quiet();
  if (!failure()) read_everything_again();
}

void World::run_to_quiet() {
  while (!events_.empty() && !failure()) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    dispatch(event);
    if (machine_.step() > kStepLimit) machine_.fail("invariant 3: the schedule does not end");
  }
  if (!failure()) machine_.check_quiescent();
  if (!failure())
    if (std::string what = cut_objection(machine_); !what.empty()) machine_.fail(std::move(what));
}

// Whatever happened, every node must still be able to read what was written last.
void World::read_everything_again() {
  std::vector<ScriptedThread>& threads = machine_.threads();
  threads.clear();
  for (uint16_t n = 0; n < scenario_.nodes; ++n) {
    ScriptedThread thread;
    thread.id = ThreadId{2000 + n};
    thread.node = NodeId{n};
    for (const PageNo page : scenario_.pages) {
      Operation op;
      op.pages = 1;
      op.page[0] = page;
      op.access[0] = Access::kRead;
      thread.script.push_back(op);
    }
    threads.push_back(std::move(thread));
    schedule(1, Event::Kind::kThread, n);
  }
  run_to_quiet();
}

void World::dispatch(const Event& event) {
  const NodeId node{static_cast<uint16_t>(event.index)};
  switch (event.kind) {
    case Event::Kind::kThread: step_thread(event.index); break;
    case Event::Kind::kTurn:
      agent(node).turn_scheduled = false;
      turn(node);
      break;
    case Event::Kind::kArrival: {
      const NodeId to = machine_.network().destination(event.index);
      // The header is read before the payload, and other events may come between.
      if (random_.percent(50) && machine_.node(to).quiet() && machine_.receive_in_place(event.index)) {
        trace_.add([&] { return stamp(now_, to) + "receives in place " + wire::to_string(machine_.network().head(event.index).envelope); });
        schedule(pick(scenario_.timing.pause), Event::Kind::kArrival, event.index);
        break;
      }
      agent(to).arrived.push_back(event.index);
      want_turn(to);
      break;
    }
    case Event::Kind::kTimer:
      if (agent(node).timer_at == event.at) agent(node).timer_at = UINT64_MAX;
      want_turn(node);
      break;
    case Event::Kind::kDisturbance: {
      const NodeId who = disturber_.node_for(event.index);
      agent(who).notices.push_back({Notice::Kind::kDisturb, event.index, {}});
      want_turn(who);
      break;
    }
  }
}

void World::step_thread(uint32_t index) {
  ScriptedThread& thread = machine_.threads()[index];
  if (thread.state != ScriptedThread::State::kReady) return;
  const Operation& op = thread.operation();
  if (op.kind == Operation::Kind::kAccess) {
    machine_.run_instruction(index);
    trace_.add([&] {
      std::string text = stamp(now_, thread.node) + "thread " + std::to_string(thread.id.value);
      for (unsigned i = 0; i < op.pages; ++i)
        text += (op.access[i] == Access::kWrite ? " write " : " read ") + std::to_string(op.page[i].value);
      return text + (thread.waiting() ? ": fault on " + std::to_string(thread.waits_for.value) : ": done");
    });
  } else {
    // The agent of the node that the thread leaves hears of it when it has time.
    agent(thread.node).notices.push_back({Notice::Kind::kBlocked, index, thread.id});
    want_turn(thread.node);
    if (op.kind == Operation::Kind::kMigrate) machine_.move_thread(index, op.to);
    machine_.next_operation(index);
    machine_.news().ready.clear();
    if (thread.state == ScriptedThread::State::kReady) schedule(kBlockedNs, Event::Kind::kThread, index);
  }
  spread_news();
}

void World::want_turn(NodeId id) {
  if (agent(id).turn_scheduled) return;
  turn(id);
}

// The agent's loop: actions first, then messages to itself, then whatever waits, until nothing is left or it is
// preempted.
void World::turn(NodeId id) {
  Agent& a = agent(id);
  while (!failure()) {
    const ModelNode& node = machine_.node(id);
    if (node.busy()) {
      trace_.add([&] { return stamp(now_, id) + "  " + coherence::to_string(node.next_action()); });
      machine_.execute_next(id, clock(id));
      spread_news();
    } else if (node.has_own_message()) {
      trace_.add([&] { return stamp(now_, id) + "takes " + wire::to_string(node.own_message()); });
      machine_.deliver_own(id, clock(id));
      spread_news();
    } else if (!take_something(id)) {
      return set_timer(id);
    }
    if (!machine_.node(id).busy()) {
      a.patient = !random_.percent(scenario_.timing.preempted_percent);
    } else if (!a.patient && random_.percent(50)) {
      break;
    }
    if (random_.percent(scenario_.timing.preempted_percent)) break;
  }
  if (failure()) return;
  a.turn_scheduled = true;
  schedule(pick(scenario_.timing.pause), Event::Kind::kTurn, id.value);
}

bool World::timer_due(NodeId id) const {
  const auto deadline = machine_.nodes()[id.value].cache().next_deadline();
  return deadline && *deadline <= clock(id);
}

bool World::take_something(NodeId id) {
  Agent& a = agent(id);
  std::erase_if(a.faults, [&](uint32_t i) {  // served before it was read; the thread may have moved since
    const ScriptedThread& thread = machine_.threads()[i];
    return !thread.fault_unread || thread.node != id;
  });
  enum class Source { kMessage, kFault, kTimer, kNotice };
  std::vector<Source> sources;
  if (!a.arrived.empty()) sources.push_back(Source::kMessage);
  if (!a.faults.empty()) sources.push_back(Source::kFault);
  if (timer_due(id)) sources.push_back(Source::kTimer);
  if (!a.notices.empty()) sources.push_back(Source::kNotice);
  if (sources.empty()) return false;
  switch (sources[random_.below(sources.size())]) {
    case Source::kMessage: {
      const Network::Channel channel = a.arrived.front();
      a.arrived.erase(a.arrived.begin());
      trace_.add([&] { return stamp(now_, id) + "gets " + wire::to_string(machine_.network().head(channel).envelope); });
      machine_.deliver(channel, clock(id));
      break;
    }
    case Source::kFault: {
      const uint32_t thread = a.faults.front();
      a.faults.pop_front();
      trace_.add([&] { return stamp(now_, id) + "reads the fault of thread " + std::to_string(machine_.threads()[thread].id.value); });
      machine_.take_fault(thread, clock(id));
      break;
    }
    case Source::kTimer:
      trace_.add([&] { return stamp(now_, id) + "timer"; });
      machine_.fire_timer(id, clock(id));
      break;
    case Source::kNotice: {
      const Notice notice = a.notices.front();
      a.notices.pop_front();
      take_notice(id, notice);
      break;
    }
  }
  spread_news();
  return true;
}

void World::take_notice(NodeId id, const Notice& notice) {
  if (notice.kind == Notice::Kind::kBlocked) {
    trace_.add([&] { return stamp(now_, id) + "hears that thread " + std::to_string(notice.thread.value) + " blocks"; });
    return machine_.tell_blocked(id, notice.thread, clock(id));
  }
  trace_.add([&] { return stamp(now_, id) + disturber_.describe(notice.index); });
  if (const auto delay = disturber_.advance(notice.index, machine_, clock(id)))
    schedule(*delay, Event::Kind::kDisturbance, notice.index);
}

void World::spread_news() {
  News& news = machine_.news();
  for (const Network::Channel channel : news.sent) {
    last_arrival_[channel] = std::max(last_arrival_[channel], now_ + pick(scenario_.timing.wire));
    events_.push({last_arrival_[channel], order_++, Event::Kind::kArrival, channel});
  }
  for (const uint32_t thread : news.ready) schedule(pick(scenario_.timing.instruction), Event::Kind::kThread, thread);
  for (const uint32_t thread : news.faulted) {
    const NodeId node = machine_.threads()[thread].node;
    agent(node).faults.push_back(thread);
    if (!agent(node).turn_scheduled) {
      agent(node).turn_scheduled = true;
      schedule(0, Event::Kind::kTurn, node.value);
    }
  }
  for (const RangeId range : news.finished) schedule(0, Event::Kind::kDisturbance, disturber_.owner_of(range));
  news = {};
}

void World::set_timer(NodeId id) {
  const auto deadline = machine_.node(id).cache().next_deadline();
  if (!deadline) return;
  Agent& a = agent(id);
  const uint64_t local = clock(id);
  const uint64_t wait = *deadline > local ? (*deadline - local) * kClockUnit / a.clock_rate + 1 : 0;
  if (a.timer_at <= now_ + wait) return;
  a.timer_at = now_ + wait;
  schedule(wait, Event::Kind::kTimer, id.value);
}

}  // namespace dsm::sim
