// SPDX-License-Identifier: Apache-2.0
// Engine: drives the two protocol objects of a node and carries out what they ask for. It feeds them faults, messages and
// time, executes actions in order, and hands messages to itself in the same turn. Owner-thread only.
//
// Invariants
//  1. All actions of an event are executed before the next event is fed.
//  2. The host is told of a finished range after that, so it may start the next one from there.
//  3. Without memory (before Hello) only the directory half works; nothing can be held here yet.
#pragma once
#include <deque>
#include <optional>
#include <vector>

#include "libdsm/agent/node_memory.h"
#include "libdsm/agent/origin_space.h"
#include "libdsm/agent/payload_pool.h"
#include "libdsm/base/log.h"
#include "libdsm/coherence/cache_controller.h"
#include "libdsm/stats/fault_latency.h"
#include "libdsm/transport/transport.h"
#include "pagedir/directory_service.h"

namespace dsm::agent {

// What the engine needs from the rest of the agent.
class EngineHost {
 public:
  virtual ~EngineHost() = default;
  // Slices together are the payload. Pool buffers are handed over by `buffer` (kNoBuffer: the bytes must be taken).
  virtual void send_to_peer(NodeId dst, const wire::Message& message, std::span<const transport::Bytes> payload,
                            BufferId buffer) = 0;
  virtual void raise_fault(ThreadId thread, uint64_t address, wire::RefuseReason reason) = 0;
  virtual void range_finished(RangeId id) = 0;
  virtual void protocol_violated(NodeId peer, const char* what) = 0;
  // The runtime's requests that have arrived must be in the address map before it refuses anything.
  virtual void drain_runtime() = 0;
};

class Engine {
 public:
  Engine(const coherence::CacheConfig& config, EngineHost& host, const Log& log);

  // `space`: at the origin only. Both must outlive the engine or the next attach().
  void attach(NodeMemory* memory, OriginSpace* space);
  bool attached() const { return memory_ != nullptr; }

  void on_fault(const fault::FaultEvent& event, TimeNs now);
  // `payload`: exactly wire::payload_pages() pages.
  void on_message(const wire::Envelope& envelope, std::span<const std::byte> payload, TimeNs now);
  void on_timer(TimeNs now);
  void on_thread_blocked(ThreadId thread, TimeNs now);
  // Gives the page up; a last copy moves to `to` (coherence::CacheController::evict).
  void evict(PageNo page, NodeId to, TimeNs now);

  // Known to the caller before the transaction begins, since it may be finished when drop_range() returns.
  RangeId new_range_id() { return RangeId{next_range_++}; }
  void drop_range(RangeId id, PageRange range, wire::RangeOp op, TimeNs now);
  void resume_range(RangeId id, TimeNs now);
  // Whoever waits in the range looks again.
  void wake(PageRange range);

  std::optional<TimeNs> next_deadline() const { return cache_.next_deadline(); }
  bool in_flight() const { return cache_.transactions_in_flight() || latency_.waiting(); }
  const coherence::CacheController& cache() const { return cache_; }
  const pagedir::DirectoryService& directory() const { return directory_; }
  const stats::FaultLatency& latency() const { return latency_; }
  PayloadPool& payload_pool() { return pool_; }

 private:
  struct Executor;  // one overload for each action

  void settle(TimeNs now);
  void run_actions(TimeNs now);
  void run_local_queue(TimeNs now);
  void deliver(const wire::Envelope& envelope, TimeNs now);
  void send(NodeId dst, const wire::Message& message, const coherence::Payload& payload);
  void check(int error, const char* what, PageNo page) const;

  NodeId self_;
  EngineHost& host_;
  const Log& log_;
  coherence::CacheController cache_;
  pagedir::DirectoryService directory_;
  NodeMemory* memory_ = nullptr;
  OriginSpace* space_ = nullptr;

  // Of the event that is being handled.
  coherence::Actions actions_;
  pagedir::Sends sends_;
  std::deque<wire::Envelope> local_;
  PageNo payload_page_;
  std::span<const std::byte> payload_;
  std::vector<RangeId> finished_;

  PayloadPool pool_;
  stats::FaultLatency latency_;
  uint64_t next_range_ = 1;
};

}  // namespace dsm::agent
