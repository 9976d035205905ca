// SPDX-License-Identifier: Apache-2.0
// Threads that move by order, and nodes that are drained. Each agent knows which nodes are; the origin's sends their threads away, the
// drained node's own agent its pages, as soon as it has no thread any more. The directory shards that it hosts stay with it.
#include <csignal>

#include "libdsm/agent/node_agent.h"
#include "libdsm/os/clock.h"

namespace dsm::agent {
namespace {

constexpr TimeNs kDrainLookNs = 2'000'000;
constexpr TimeNs kDrainReportNs = 250'000'000;

}  // namespace

int NodeAgent::kick_thread(ThreadId kernel_tid) {
  const int error = os::queue_thread_signal(runtime_.pid(), kernel_tid, abi::kSignalKick, 0, 0);
  if (error != 0 && error != -ESRCH) log_.info("cannot kick a thread that shall move: error " + std::to_string(-error));
  return error;
}

void NodeAgent::handle(const MoveThread& c) {
  if (!is_origin()) return fail("control stream: threads are moved by the origin's agent");
  mover_.order(c.id, c.tid, c.node, runtime_.board(), os::now_ns());
}

void NodeAgent::handle(const Drain& c) {
  if (c.node >= config_.nodes || (c.on && NodeId{static_cast<uint16_t>(c.node)} == kOrigin))
    return fail("control stream: node " + std::to_string(c.node) + " cannot be drained");
  const TimeNs now = os::now_ns();
  mover_.set_drained(c.node, c.on, now);
  if (is_origin()) runtime_.board().set_drained(c.node, c.on);
  drain_ = {};
  if (mover_.drained(config_.node.value)) drain_.look_at = drain_.report_at = now;
  else evictor_.stop();
}

// What the origin's board must say again after an execve of the program has replaced it.
void NodeAgent::write_board() {
  if (!is_origin() || !mesh_) return;
  runtime_.board().set_cpus(mesh_->cpus);
  for (unsigned node = 0; node < config_.nodes; ++node) runtime_.board().set_drained(node, mover_.drained(node));
}

std::vector<NodeId> NodeAgent::undrained_others() const {
  std::vector<NodeId> nodes;
  for (uint16_t i = 0; i < config_.nodes; ++i)
    if (NodeId{i} != config_.node && !mover_.drained(i)) nodes.push_back(NodeId{i});
  return nodes;
}

void NodeAgent::watch_drain(TimeNs now) {
  if (!drain_.look_at || now < *drain_.look_at) return;
  drain_.look_at = now + kDrainLookNs;
  const uint64_t threads = runtime_.board().threads_here(config_.node), pages = PageEvictor::held(engine_);
  if (threads == 0) evictor_.start(undrained_others(), now);
  else evictor_.stop();  // they would fetch again what was sent away
  const bool done = threads == 0 && pages == 0;
  if (now < drain_.report_at && done == drain_.said_done) return;
  drain_.report_at = now + kDrainReportNs;
  if (!done || !drain_.said_done) launcher_.drain(config_.node, threads, pages, done);
  drain_.said_done = done;
}

void NodeAgent::check_moves(TimeNs now) {
  if (is_origin() && runtime_.memory()) mover_.on_time(runtime_.board(), now);
  watch_drain(now);
  evictor_.on_time(engine_, now);
}

std::optional<TimeNs> NodeAgent::next_move_check() const {
  std::optional<TimeNs> next = is_origin() ? mover_.next_deadline() : std::nullopt;
  auto until = [&](TimeNs t) { next = next ? std::min(*next, t) : t; };
  if (drain_.look_at) until(*drain_.look_at);
  if (evictor_.active()) until(evictor_.next_deadline());
  return next;
}

}  // namespace dsm::agent
