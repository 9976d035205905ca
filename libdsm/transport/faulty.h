// SPDX-License-Identifier: Apache-2.0
// Faulty: puts trouble between a node and its peers, for tests: links that are cut, links that fall silent, and delays.
// It decorates any Transport; everything else passes through.
#pragma once
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "libdsm/transport/transport.h"

namespace dsm::transport {

class FaultyTransport final : public Transport {
 public:
  // `receiver` is the one that `inner` was made with.
  FaultyTransport(std::unique_ptr<Transport> inner, Receiver& receiver) : inner_(std::move(inner)), receiver_(receiver) {}

  // The connection breaks: both ends see on_peer_down.
  void cut(NodeId peer);
  // What is sent to the peer from now on vanishes, without an end of the connection (a network that swallows).
  void silence(NodeId peer, bool on);
  // What is sent to the peer leaves `delay_ns` later, in order within its class; the two classes may be given unequal
  // delays and so be made to overtake each other. 0 ends it for later sends.
  void delay(NodeId peer, uint64_t message_delay_ns, uint64_t data_delay_ns);

  Result<Endpoint> listen(const Endpoint& at) override { return inner_->listen(at); }
  void add_peer(NodeId peer, const Endpoint& at) override { inner_->add_peer(peer, at); }
  void close_peer(NodeId peer) override;
  void open_channel(NodeId peer, Bytes greeting, uint64_t token) override { inner_->open_channel(peer, greeting, token); }
  void send(NodeId peer, Bytes header) override;
  Sent send_data(NodeId peer, Bytes header, std::span<const Bytes> payload, uint64_t token) override;
  uint64_t queued_bytes(NodeId peer) const override { return inner_->queued_bytes(peer); }
  WatchId watch(int fd, uint32_t events, std::function<void(uint32_t)> ready) override {
    return inner_->watch(fd, events, std::move(ready));
  }
  void unwatch(WatchId id) override { inner_->unwatch(id); }
  size_t poll(uint64_t timeout_ns) override;
  Counters counters() const override { return inner_->counters(); }
  Counters counters(NodeId peer) const override { return inner_->counters(peer); }

 private:
  struct Held {
    TimeNs due = 0;
    std::vector<std::byte> header, payload;
  };
  struct Trouble {
    bool silent = false;
    std::array<uint64_t, 2> delay_ns{};     // messages, data
    std::array<std::deque<Held>, 2> held;
  };
  bool hold(NodeId peer, size_t link_class, Bytes header, std::span<const Bytes> payload);
  void release(TimeNs now);
  TimeNs next_due() const;

  std::unique_ptr<Transport> inner_;
  Receiver& receiver_;
  std::map<NodeId, Trouble> troubles_;
  std::vector<NodeId> cut_;
};

}  // namespace dsm::transport
