// SPDX-License-Identifier: Apache-2.0
// Loopback: a Transport between nodes of one process, for tests. Deterministic: nothing moves but in poll(), and a
// node's poll() delivers what was queued for it, in the order in which it was sent.
//
// All transports of one LoopbackNetwork belong to one thread; the network outlives them.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "libdsm/os/reactor.h"
#include "libdsm/transport/transport.h"

namespace dsm::transport {

class LoopbackTransport;

class LoopbackNetwork {
 public:
  Result<std::unique_ptr<LoopbackTransport>> join(NodeId self, Receiver& receiver);
  // Nothing waits for anybody.
  bool quiet() const;

 private:
  friend class LoopbackTransport;
  std::map<NodeId, LoopbackTransport*> nodes_;
};

class LoopbackTransport final : public Transport {
 public:
  ~LoopbackTransport() override;

  Result<Endpoint> listen(const Endpoint& at) override { return at; }
  void add_peer(NodeId peer, const Endpoint& at) override;
  void close_peer(NodeId peer) override;
  void open_channel(NodeId peer, Bytes greeting, uint64_t token) override;
  void send(NodeId peer, Bytes header) override;
  Sent send_data(NodeId peer, Bytes header, std::span<const Bytes> payload, uint64_t token) override;
  uint64_t queued_bytes(NodeId) const override { return 0; }
  WatchId watch(int fd, uint32_t events, std::function<void(uint32_t)> ready) override;
  void unwatch(WatchId id) override;
  size_t poll(uint64_t timeout_ns) override;
  Counters counters() const override;
  Counters counters(NodeId peer) const override;

 private:
  friend class LoopbackNetwork;
  struct Item {
    NodeId source;
    bool is_data = false;
    std::vector<std::byte> header, payload;
  };
  enum class Peer : uint8_t { kAdded, kUp };

  LoopbackTransport(LoopbackNetwork& network, NodeId self, Receiver& receiver, std::unique_ptr<os::Reactor> reactor);
  LoopbackTransport* other(NodeId peer) const;
  bool is_up(NodeId peer) const;
  void queue(NodeId peer, Item item);
  void lose(NodeId peer, Error why);
  void arrive(const Item& item);
  Status deliver(const Item& item);

  LoopbackNetwork& network_;
  const NodeId self_;
  Receiver& receiver_;
  std::unique_ptr<os::Reactor> reactor_;
  std::map<NodeId, Peer> peers_;
  std::map<NodeId, Counters> counters_;
  std::deque<std::function<void()>> events_;  // what poll() has to tell, oldest first
};

}  // namespace dsm::transport
