// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/loopback.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/os/stream.h"
#include "libdsm/transport/frame.h"

namespace dsm::transport {

Result<std::unique_ptr<LoopbackTransport>> LoopbackNetwork::join(NodeId self, Receiver& receiver) {
  auto reactor = os::make_reactor();
  if (!reactor) return reactor.error();
  std::unique_ptr<LoopbackTransport> node(new LoopbackTransport(*this, self, receiver, std::move(*reactor)));
  DSM_CHECK(nodes_.emplace(self, node.get()).second);
  return node;
}

bool LoopbackNetwork::quiet() const {
  return std::all_of(nodes_.begin(), nodes_.end(),
                     [](const auto& node) { return node.second->events_.empty(); });
}

LoopbackTransport::LoopbackTransport(LoopbackNetwork& network, NodeId self, Receiver& receiver,
                                     std::unique_ptr<os::Reactor> reactor)
    : network_(network), self_(self), receiver_(receiver), reactor_(std::move(reactor)) {}

LoopbackTransport::~LoopbackTransport() {
  network_.nodes_.erase(self_);
  for (auto& [id, node] : network_.nodes_) node->lose(self_, Error{"closed the connection", ECONNRESET});
}

LoopbackTransport* LoopbackTransport::other(NodeId peer) const {
  const auto found = network_.nodes_.find(peer);
  return found == network_.nodes_.end() ? nullptr : found->second;
}

bool LoopbackTransport::is_up(NodeId peer) const {
  const auto found = peers_.find(peer);
  return found != peers_.end() && found->second == Peer::kUp;
}

void LoopbackTransport::add_peer(NodeId peer, const Endpoint&) {
  DSM_CHECK(peer != self_ && !peers_.contains(peer));
  peers_[peer] = Peer::kAdded;
  LoopbackTransport* there = other(peer);
  if (!there || !there->peers_.contains(self_)) return;  // it will call when it adds us
  const auto connect = [](LoopbackTransport& node, NodeId to) {
    node.events_.push_back([&node, to] {
      const auto found = node.peers_.find(to);
      if (found == node.peers_.end() || found->second == Peer::kUp) return;
      found->second = Peer::kUp;
      node.receiver_.on_peer_up(to);
    });
  };
  connect(*this, peer);
  connect(*there, self_);
}

void LoopbackTransport::close_peer(NodeId peer) {
  if (peers_.erase(peer) == 0) return;
  if (LoopbackTransport* there = other(peer)) there->lose(self_, Error{"closed the connection", ECONNRESET});
}

// What was sent before still arrives first.
void LoopbackTransport::lose(NodeId peer, Error why) {
  if (!peers_.contains(peer)) return;
  events_.push_back([this, peer, why] {
    if (peers_.erase(peer) == 0) return;
    receiver_.on_peer_down(peer, Error{"node " + std::to_string(peer.value) + ": " + why.what, why.code});
  });
}

void LoopbackTransport::open_channel(NodeId peer, Bytes greeting, uint64_t token) {
  LoopbackTransport* there = other(peer);
  const auto mine = std::make_shared<os::Fd>(), theirs = std::make_shared<os::Fd>();
  if (!there || !is_up(peer) || os::make_stream_pair(mine.get(), theirs.get()) != 0) {
    events_.push_back([this, peer, token] {
      receiver_.on_channel_opened(token, Error{"node " + std::to_string(peer.value) + " is not connected", ENOTCONN});
    });
    return;
  }
  events_.push_back([this, token, mine] { receiver_.on_channel_opened(token, std::move(*mine)); });
  there->events_.push_back([there, from = self_, theirs, text = std::vector<std::byte>(greeting.begin(), greeting.end())] {
    there->receiver_.on_channel(from, text, std::move(*theirs));
  });
}

void LoopbackTransport::queue(NodeId peer, Item item) {
  LoopbackTransport* there = other(peer);
  if (!there || !is_up(peer)) return;
  Counters& count = counters_[peer];
  ++count.messages_out;
  if (!item.payload.empty()) ++count.data_out;
  count.payload_bytes_out += item.payload.size();
  count.bytes_out += sizeof(FrameHead) + item.header.size() + item.payload.size();
  there->events_.push_back([there, arriving = std::move(item)] { there->arrive(arriving); });
}

void LoopbackTransport::send(NodeId peer, Bytes header) {
  queue(peer, Item{self_, false, {header.begin(), header.end()}, {}});
}

Sent LoopbackTransport::send_data(NodeId peer, Bytes header, std::span<const Bytes> payload, uint64_t) {
  Item item{self_, true, {header.begin(), header.end()}, {}};
  for (Bytes slice : payload) item.payload.insert(item.payload.end(), slice.begin(), slice.end());
  queue(peer, std::move(item));
  return Sent::kTaken;
}

void LoopbackTransport::arrive(const Item& item) {
  if (!is_up(item.source)) return;
  auto status = deliver(item);
  if (status || !peers_.contains(item.source)) return;
  close_peer(item.source);
  receiver_.on_peer_down(item.source, Error{"node " + std::to_string(item.source.value) + ": " + status.error().what,
                                            status.error().code});
}

Status LoopbackTransport::deliver(const Item& item) {
  Counters& count = counters_[item.source];
  ++count.messages_in;
  count.bytes_in += sizeof(FrameHead) + item.header.size() + item.payload.size();
  if (!item.is_data) return receiver_.on_message(item.source, item.header);
  if (!item.payload.empty()) ++count.data_in;
  count.payload_bytes_in += item.payload.size();
  count.payload_bytes_copied += item.payload.size();
  Payload payload{.size = item.payload.size(), .bytes = item.payload};
  if (payload.size > kStagedPayloadBytes) {
    Places places;
    if (auto status = receiver_.place_payload(item.source, item.header, payload.size, places); !status) return status;
    Bytes rest = item.payload;
    for (auto place : places) {
      DSM_CHECK(place.size() <= rest.size());
      std::memcpy(place.data(), rest.data(), place.size());
      rest = rest.subspan(place.size());
    }
    DSM_CHECK(places.empty() || rest.empty());
    if (!places.empty()) payload = {.size = payload.size, .placed = true};
  }
  return receiver_.on_data(item.source, item.header, payload);
}

WatchId LoopbackTransport::watch(int fd, uint32_t events, std::function<void(uint32_t)> ready) {
  return reactor_->watch(fd, events, std::move(ready));
}

void LoopbackTransport::unwatch(WatchId id) { reactor_->unwatch(id); }

// Only what was there at the beginning: what the callbacks cause is for the next call.
size_t LoopbackTransport::poll(uint64_t timeout_ns) {
  size_t handled = 0;
  for (auto& event : std::exchange(events_, {})) {
    event();
    ++handled;
  }
  return handled + reactor_->run(handled > 0 ? 0 : timeout_ns);
}

Counters LoopbackTransport::counters(NodeId peer) const {
  const auto found = counters_.find(peer);
  return found == counters_.end() ? Counters{} : found->second;
}

Counters LoopbackTransport::counters() const {
  Counters sum;
  for (const auto& [peer, one] : counters_) sum += one;
  return sum;
}

}  // namespace dsm::transport
