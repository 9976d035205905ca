// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/thread_mover.h"

#include <algorithm>

namespace dsm::agent {
namespace {

constexpr TimeNs kMs = 1'000'000;
constexpr TimeNs kPatienceNs = 5000 * kMs;
// A kick that came at a bad moment (in the vdso, before the worker had started) is repeated.
constexpr TimeNs kKickNs = 10 * kMs;
constexpr TimeNs kLookNs = kMs;
constexpr TimeNs kDrainNs = 5 * kMs;
// An agent that was held up makes up for this many moves, not for more.
constexpr unsigned kMostMovesAtOnce = 8;
// A thread that never settles moves all the same, so often that this part of the rate is left.
constexpr unsigned kUnsettledPart = 3;

std::string thread_name(int tid) { return "thread " + std::to_string(tid); }

}  // namespace

ThreadMover::ThreadMover(unsigned nodes, Kick kick, Answer answer)
    : kick_(std::move(kick)), answer_(std::move(answer)), drained_(nodes, false) {}

void ThreadMover::order(uint64_t id, int tid, unsigned node, ThreadBoard& board, TimeNs now) {
  if (node >= drained_.size())
    return answer_(id, "there is no node " + std::to_string(node) + ": the job has nodes 0 to " + std::to_string(drained_.size() - 1));
  if (drained_[node]) return answer_(id, "node " + std::to_string(node) + " is drained (dsm-stat undrain ends that)");
  auto thread = board.find(tid);
  if (!thread) return answer_(id, thread_name(tid) + " is not a living thread of the program (dsm-stat JOB lists them)");
  if (thread->node == node && !thread->asked) return answer_(id, "");
  ask(board, *thread, node);
  orders_.push_back({id, tid, node, now + kPatienceNs, now + kKickNs});
}

void ThreadMover::set_drained(unsigned node, bool drained, TimeNs now) {
  if (node >= drained_.size()) return;
  drained_[node] = drained;
  next_drain_.reset();
  if (std::find(drained_.begin(), drained_.end(), true) != drained_.end()) next_drain_ = now;
}

void ThreadMover::start_chaos(double moves_per_second, uint64_t seed, TimeNs now) {
  chaos_period_ns_ = std::max<TimeNs>(1, static_cast<TimeNs>(1e9 / moves_per_second));
  next_chaos_ = now + chaos_period_ns_;
  random_.seed(seed);
}

void ThreadMover::ask(ThreadBoard& board, const ThreadBoard::Program& thread, unsigned node, bool random, bool if_settled) {
  // A thread that has ended meanwhile is no error: the next look at the board sees it.
  // A call that sleeps is interrupted by order and to empty a node, but not at random: the program would notice the time.
  if (board.ask_to_move(thread, node, if_settled) || !random) (void)kick_(ThreadId{static_cast<int32_t>(thread.kernel_tid)});
}

bool ThreadMover::follow(Order& order, ThreadBoard& board, TimeNs now) {
  auto thread = board.find(order.tid);
  if (!thread) return answer_(order.id, thread_name(order.tid) + " ended before it moved"), true;
  if (!thread->asked) {
    if (thread->node == order.node) return answer_(order.id, ""), true;
    if (now < order.give_up_at) return false;  // on its way
    return answer_(order.id, thread_name(order.tid) + " has moved to node " + std::to_string(thread->node) + " instead"), true;
  }
  if (*thread->asked != order.node)
    return answer_(order.id, "another request wants " + thread_name(order.tid) + " on node " + std::to_string(*thread->asked)), true;
  if (now >= order.give_up_at)
    return answer_(order.id, thread_name(order.tid) + " has been in one system call for " +
                                 std::to_string(kPatienceNs / kMs / 1000) + " s; it moves when the call ends"), true;
  if (now >= order.kick_at) {
    order.kick_at = now + kKickNs;
    ask(board, *thread, order.node);
  }
  return false;
}

unsigned ThreadMover::emptiest(const std::vector<unsigned>& threads_on) const {
  unsigned best = 0;  // the origin is never drained
  for (unsigned node = 1; node < drained_.size(); ++node)
    if (!drained_[node] && threads_on[node] < threads_on[best]) best = node;
  return best;
}

void ThreadMover::empty_drained(ThreadBoard& board) {
  const std::vector<ThreadBoard::Program> threads = board.list_program();
  std::vector<unsigned> threads_on(drained_.size(), 0);
  for (const ThreadBoard::Program& t : threads)
    if (unsigned node = t.asked.value_or(t.node); node < threads_on.size()) ++threads_on[node];
  for (const ThreadBoard::Program& t : threads) {
    const unsigned heading_for = t.asked.value_or(t.node);
    if (heading_for < drained_.size() && drained_[heading_for]) {
      const unsigned node = emptiest(threads_on);
      ++threads_on[node];
      ask(board, t, node);
    } else if (t.asked && t.node < drained_.size() && drained_[t.node]) {
      ask(board, t, *t.asked);  // once more
    }
  }
}

void ThreadMover::note_stays(const std::vector<ThreadBoard::Program>& threads, TimeNs now) {
  std::map<uint32_t, Stay> stays;
  for (const ThreadBoard::Program& t : threads) {
    auto known = stays_.find(t.tid);
    stays[t.tid] = known != stays_.end() && known->second.migrations == t.migrations ? known->second : Stay{t.migrations, now};
  }
  stays_.swap(stays);
}

void ThreadMover::move_one_at_random(ThreadBoard& board, TimeNs now) {
  std::vector<ThreadBoard::Program> threads = board.list_program();
  note_stays(threads, now);
  // Those that can follow at once; if there are none, any of those that have not been asked yet.
  auto movable = std::partition(threads.begin(), threads.end(), [](const auto& t) { return !t.blocked; });
  if (movable == threads.begin()) movable = std::partition(threads.begin(), threads.end(), [](const auto& t) { return !t.asked; });
  size_t choice = static_cast<size_t>(movable - threads.begin());
  if (choice == 0) return;
  const TimeNs longest_stay = kUnsettledPart * choice * chaos_period_ns_;
  auto overdue = std::partition(threads.begin(), movable, [&](const auto& t) { return now - stays_[t.tid].since >= longest_stay; });
  const bool if_settled = overdue == threads.begin();
  if (!if_settled) choice = static_cast<size_t>(overdue - threads.begin());
  const ThreadBoard::Program& thread = threads[random_() % choice];
  std::vector<unsigned> nodes;
  for (unsigned node = 0; node < drained_.size(); ++node)
    if (!drained_[node] && node != thread.node) nodes.push_back(node);
  if (!nodes.empty()) ask(board, thread, nodes[random_() % nodes.size()], true, if_settled);
}

void ThreadMover::on_time(ThreadBoard& board, TimeNs now) {
  std::erase_if(orders_, [&](Order& order) { return follow(order, board, now); });
  if (next_drain_ && now >= *next_drain_) {
    empty_drained(board);
    next_drain_ = now + kDrainNs;
  }
  if (chaos_period_ns_ == 0 || now < next_chaos_) return;
  for (unsigned i = 0; i < kMostMovesAtOnce && now >= next_chaos_; ++i) {
    move_one_at_random(board, now);
    next_chaos_ += chaos_period_ns_;
  }
  if (now >= next_chaos_) next_chaos_ = now + chaos_period_ns_;
}

std::optional<TimeNs> ThreadMover::next_deadline() const {
  std::optional<TimeNs> next;
  auto until = [&](TimeNs t) { next = next ? std::min(*next, t) : t; };
  if (next_drain_) until(*next_drain_);
  if (chaos_period_ns_ != 0) until(next_chaos_);
  for (const Order& order : orders_) until(std::min(order.give_up_at, order.kick_at) - kKickNs + kLookNs);
  return next;
}

}  // namespace dsm::agent
