// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/tcp_transport.h"

#include <algorithm>
#include <cerrno>

#include "libdsm/base/check.h"
#include "libdsm/os/clock.h"
#include "libdsm/os/stream.h"

namespace dsm::transport {
namespace {

// Links that poll() looks at by a direct receive each time; the others are watched by the reactor.
constexpr size_t kProbedLinks = 4;
// Each so many polls everything gets its turn, however busy the first link is.
constexpr unsigned kFullTurn = 8;

// Streams that a peer may open before this node has heard that the mesh is complete.
constexpr size_t kMaxEarlyChannels = 1024;

constexpr LinkClass kClasses[] = {LinkClass::kMessages, LinkClass::kData};

LinkClass class_of(Purpose purpose) {
  DSM_CHECK(purpose != Purpose::kChannel);
  return purpose == Purpose::kData ? LinkClass::kData : LinkClass::kMessages;
}

}  // namespace

Result<std::unique_ptr<TcpTransport>> TcpTransport::make(const TcpConfig& config, const Authenticator& authenticator,
                                                         Receiver& receiver) {
  auto reactor = os::make_reactor();
  if (!reactor) return reactor.error();
  return std::make_unique<TcpTransport>(config, authenticator, receiver, std::move(*reactor));
}

TcpTransport::TcpTransport(const TcpConfig& config, const Authenticator& authenticator, Receiver& receiver,
                           std::unique_ptr<os::Reactor> reactor)
    : config_(config),
      membership_{config.self, config.nodes, config.job, config.epoch, authenticator.protection()},
      receiver_(receiver),
      reactor_(std::move(reactor)),
      connector_(*reactor_, authenticator, membership_, config.connecting, *this) {}

TcpTransport::~TcpTransport() = default;

Result<Endpoint> TcpTransport::listen(const Endpoint& at) {
  auto bound = connector_.listen({at.address, at.port});
  if (!bound) return bound.error();
  return Endpoint{bound->host, bound->port, at.host};
}

TcpPeer* TcpTransport::find(NodeId peer) const {
  return peer.value < peers_.size() ? peers_[peer.value].get() : nullptr;
}

TcpPeer& TcpTransport::peer_at(NodeId peer) {
  DSM_CHECK(peer.value < kMaxNodes && peer != config_.self);
  if (peer.value >= peers_.size()) peers_.resize(peer.value + 1u);
  if (!peers_[peer.value]) peers_[peer.value] = std::make_unique<TcpPeer>(peer, receiver_);
  return *peers_[peer.value];
}

void TcpTransport::set_state(TcpPeer& peer, PeerState state) {
  switch (state) {
    case PeerState::kAbsent: break;
    case PeerState::kConnecting: DSM_CHECK(peer.state == PeerState::kAbsent); break;
    case PeerState::kUp: DSM_CHECK(peer.state == PeerState::kConnecting && peer.both_links()); break;
  }
  peer.state = state;
}

// ---- Connecting ----------------------------------------------------------------------------------------------

void TcpTransport::add_peer(NodeId id, const Endpoint& at) {
  TcpPeer& peer = peer_at(id);
  peer.at = at;
  set_state(peer, PeerState::kConnecting);
  if (id < config_.self) {
    dial(peer, Purpose::kMessages, {}, 0);
    dial(peer, Purpose::kData, {}, 0);
    return;
  }
  // It dials us. If it has done so already, the receiver learns of it in the next poll().
  later_.push_back([this, &peer] { go_up_if_complete(peer); });
}

void TcpTransport::dial(TcpPeer& peer, Purpose purpose, Bytes greeting, uint64_t token) {
  const uint64_t cookie = ++last_cookie_;
  dials_.emplace(cookie, Dial{peer.id, purpose, token});
  connector_.dial({peer.at.address, peer.at.port}, membership_.hello_to(peer.id, purpose), greeting, cookie);
}

std::string TcpTransport::judge(const LinkHello& hello) {
  const auto purpose = static_cast<Purpose>(hello.purpose);
  if (purpose == Purpose::kChannel) return {};
  if (hello.source < config_.self.value) return "the higher node number connects to the lower one";
  TcpPeer* peer = find(NodeId{hello.source});
  if (peer && peer->link(class_of(purpose))) return "node " + std::to_string(hello.source) + " is connected already";
  return {};
}

void TcpTransport::accepted(Handshake::Outcome outcome) {
  TcpPeer& peer = peer_at(NodeId{outcome.hello.source});
  const auto purpose = static_cast<Purpose>(outcome.hello.purpose);
  if (purpose != Purpose::kChannel) return add_link(peer, class_of(purpose), outcome);
  if (peer.state != PeerState::kUp && peer.early_channels.size() >= kMaxEarlyChannels)
    return stranger(Error{peer.name() + " opened too many streams before it was connected", EMFILE});
  auto stream = channel_stream(peer.id, outcome);
  if (!stream) return stranger(stream.error());
  if (peer.state == PeerState::kUp) return deliver_channel(peer, outcome.greeting, std::move(*stream));
  peer.early_channels.emplace_back(std::move(outcome.greeting), std::move(*stream));
}

// What the owner of the channel gets: the connection itself, or one end of a socket pair behind which a relay encrypts.
Result<os::Fd> TcpTransport::channel_stream(NodeId peer, Handshake::Outcome& outcome) {
  if (!outcome.cipher) {
    os::set_nonblocking(outcome.fd.get(), false);
    return std::move(outcome.fd);
  }
  os::Fd ours, theirs;
  if (const int error = os::make_stream_pair(&ours, &theirs); error != 0) return system_error("cannot open a channel", -error);
  os::set_nonblocking(ours.get(), true);
  relays_.push_back(
      std::make_unique<ChannelRelay>(*reactor_, peer, std::move(outcome.fd), std::move(outcome.cipher), std::move(ours)));
  return theirs;
}

void TcpTransport::dialed(uint64_t cookie, Result<Handshake::Outcome> outcome) {
  const auto found = dials_.find(cookie);
  DSM_CHECK(found != dials_.end());
  const Dial dial = found->second;
  dials_.erase(found);
  TcpPeer& peer = peer_at(dial.peer);
  if (dial.purpose == Purpose::kChannel) {
    if (!outcome) {
      receiver_.on_channel_opened(dial.token, Error{peer.name() + ": " + outcome.error().what, outcome.error().code});
      return;
    }
    receiver_.on_channel_opened(dial.token, channel_stream(dial.peer, *outcome));
    return;
  }
  if (!outcome) return lose(peer, outcome.error());
  add_link(peer, class_of(dial.purpose), *outcome);
}

void TcpTransport::stranger(const Error& why) { receiver_.on_stranger(why); }

void TcpTransport::add_link(TcpPeer& peer, LinkClass link_class, Handshake::Outcome& outcome) {
  DSM_CHECK(!peer.link(link_class));
  LinkOwner& owner = *this;
  peer.link(link_class) = std::make_unique<TcpLink>(link_class, std::move(outcome.fd), std::move(outcome.cipher), *reactor_,
                                                    owner, peer.sink(link_class), config_.limits, config_.max_queued_bytes);
  go_up_if_complete(peer);
}

void TcpTransport::go_up_if_complete(TcpPeer& peer) {
  if (peer.state != PeerState::kConnecting || !peer.both_links()) return;
  set_state(peer, PeerState::kUp);
  receiver_.on_peer_up(peer.id);
  for (auto& [greeting, stream] : std::exchange(peer.early_channels, {})) {
    if (peer.state == PeerState::kUp) deliver_channel(peer, greeting, std::move(stream));
  }
  if (peer.state != PeerState::kUp) return;
  for (LinkClass c : kClasses) probe_often(*peer.link(c));
}

void TcpTransport::open_channel(NodeId id, Bytes greeting, uint64_t token) {
  TcpPeer* peer = find(id);
  if (peer && peer->state == PeerState::kUp) return dial(*peer, Purpose::kChannel, greeting, token);
  later_.push_back([this, id, token] {
    receiver_.on_channel_opened(token, Error{"node " + std::to_string(id.value) + " is not connected", ENOTCONN});
  });
}

void TcpTransport::deliver_channel(TcpPeer& peer, Bytes greeting, os::Fd stream) {
  receiver_.on_channel(peer.id, greeting, std::move(stream));
}

// ---- Losing a peer -------------------------------------------------------------------------------------------

void TcpTransport::close_peer(NodeId id) {
  if (TcpPeer* peer = find(id)) go_down(*peer);
}

void TcpTransport::lose(TcpPeer& peer, Error why) {
  if (peer.state == PeerState::kAbsent) return;
  why.what = peer.name() + ": " + why.what;
  go_down(peer);
  receiver_.on_peer_down(peer.id, why);
}

void TcpTransport::go_down(TcpPeer& peer) {
  set_state(peer, PeerState::kAbsent);
  peer.early_channels.clear();
  for (LinkClass c : kClasses) drop_link(peer, c);
  for (auto& relay : relays_)
    if (relay->peer() == peer.id) relay->close();
  for (auto dial = dials_.begin(); dial != dials_.end();) {
    if (dial->second.peer != peer.id) {
      ++dial;
      continue;
    }
    connector_.cancel(dial->first);
    if (dial->second.purpose == Purpose::kChannel) {
      later_.push_back([this, name = peer.name(), token = dial->second.token] {
        receiver_.on_channel_opened(token, Error{name + ": the connection is gone", ECONNRESET});
      });
    }
    dial = dials_.erase(dial);
  }
}

// The link may be delivering right now, so it is buried later.
void TcpTransport::drop_link(TcpPeer& peer, LinkClass link_class) {
  auto link = std::exchange(peer.link(link_class), nullptr);
  if (!link) return;
  std::erase(probed_, link.get());
  link->close();
  peer.retire(*link);
  graveyard_.push_back(std::move(link));
}

void TcpTransport::on_sent(uint64_t token) {
  later_.push_back([this, token] { receiver_.on_payload_sent(token); });
}

void TcpTransport::note_failure(TcpPeer& peer) {
  if (std::find(failing_.begin(), failing_.end(), &peer) == failing_.end()) failing_.push_back(&peer);
}

// ---- Sending -------------------------------------------------------------------------------------------------

void TcpTransport::send(NodeId peer, Bytes header) { send_on(peer, LinkClass::kMessages, header, {}, 0); }

Sent TcpTransport::send_data(NodeId peer, Bytes header, std::span<const Bytes> payload, uint64_t token) {
  return send_on(peer, LinkClass::kData, header, payload, token);
}

Sent TcpTransport::send_on(NodeId id, LinkClass link_class, Bytes header, std::span<const Bytes> payload,
                           uint64_t token) {
  DSM_CHECK(header.size() <= config_.limits.header_bytes);
  TcpPeer* peer = find(id);
  if (!peer || peer->state != PeerState::kUp) return Sent::kTaken;
  TcpLink& link = *peer->link(link_class);
  const Sent sent = link.send(header, payload, token);
  ++peer->counted.messages_out;
  if (link_class == LinkClass::kData) {
    uint64_t bytes = 0;
    for (Bytes slice : payload) bytes += slice.size();
    DSM_CHECK(bytes <= config_.limits.payload_bytes);
    if (bytes > 0) ++peer->counted.data_out;
    peer->counted.payload_bytes_out += bytes;
  }
  if (link.failed()) note_failure(*peer);
  return sent;
}

uint64_t TcpTransport::queued_bytes(NodeId id) const {
  TcpPeer* peer = find(id);
  if (!peer || !peer->both_links()) return 0;
  return peer->messages->queued_bytes() + peer->data->queued_bytes();
}

// ---- The wait ------------------------------------------------------------------------------------------------

WatchId TcpTransport::watch(int fd, uint32_t events, std::function<void(uint32_t)> ready) {
  return reactor_->watch(fd, events, std::move(ready));
}

void TcpTransport::unwatch(WatchId id) { reactor_->unwatch(id); }

size_t TcpTransport::poll(uint64_t timeout_ns) {
  graveyard_.clear();
  connector_.sweep();
  std::erase_if(relays_, [](const auto& relay) { return relay->finished(); });
  size_t handled = settle() + probe_links();
  if (handled == 0 || polls_ % kFullTurn == 0) handled += reactor_->run(0);
  handled += settle();
  uint64_t wait_ns = timeout_ns;
  if (const TimeNs deadline = connector_.next_deadline(); deadline != UINT64_MAX) {
    const TimeNs now = os::now_ns();
    if (deadline <= now) {
      connector_.on_timer(now);
      handled += settle();
      wait_ns = 0;
    } else {
      wait_ns = std::min(wait_ns, deadline - now);
    }
  }
  if (handled > 0 || wait_ns == 0) return handled;
  arm_links();
  handled = reactor_->run(wait_ns);
  return handled + settle();
}

// The link that was active last is looked at each time, one of the others beside it every other time, all of them in
// their turn. A link that has something ends the search, so that the consequences leave at once.
size_t TcpTransport::probe_links() {
  const size_t count = probed_.size();
  if (count == 0) return 0;
  if (++polls_ % kFullTurn == 0) {
    size_t found = 0;
    std::array<TcpLink*, kProbedLinks> links{};  // a copy: callbacks change the list
    std::copy(probed_.begin(), probed_.end(), links.begin());
    for (TcpLink* link : links)
      if (link && std::find(probed_.begin(), probed_.end(), link) != probed_.end()) found += probe(*link);
    return found;
  }
  if (probe(*probed_.front())) return 1;
  if (polls_ % 2 == 0 || count == 1) return 0;
  return probe(*probed_[1 + polls_ / 2 % (count - 1)]);
}

bool TcpTransport::probe(TcpLink& link) {
  if (!link.probe()) return false;
  on_link_event(link);
  return true;
}

void TcpTransport::on_link_event(TcpLink& link) {
  for (auto& peer : peers_) {
    if (!peer || (peer->messages.get() != &link && peer->data.get() != &link)) continue;
    if (link.failed()) note_failure(*peer);
    else if (peer->state == PeerState::kUp) probe_often(link);
    return;
  }
}

void TcpTransport::probe_often(TcpLink& link) {
  const auto found = std::find(probed_.begin(), probed_.end(), &link);
  if (found != probed_.end()) {
    std::rotate(probed_.begin(), found, found + 1);
    return;
  }
  probed_.insert(probed_.begin(), &link);
  if (probed_.size() <= kProbedLinks) return;
  probed_.back()->arm();
  probed_.pop_back();
}

void TcpTransport::arm_links() {
  for (TcpLink* link : probed_) link->arm();
}

// Callbacks that were put off, and peers whose links have failed.
size_t TcpTransport::settle() {
  size_t handled = 0;
  for (int round = 0; (!later_.empty() || !failing_.empty()) && round < 2; ++round) {
    for (auto& callback : std::exchange(later_, {})) {
      callback();
      ++handled;
    }
    for (TcpPeer* peer : std::exchange(failing_, {})) handled += bury(*peer);
  }
  return handled;
}

// One link ended; what the other one has brought before that still counts.
size_t TcpTransport::bury(TcpPeer& peer) {
  for (LinkClass c : kClasses)
    if (peer.state == PeerState::kUp) peer.link(c)->probe();
  for (LinkClass c : kClasses) {
    if (!peer.link(c) || !peer.link(c)->failed()) continue;
    lose(peer, *peer.link(c)->failed());
    return 1;
  }
  return 0;
}

Counters TcpTransport::counters(NodeId id) const {
  TcpPeer* peer = find(id);
  return peer ? peer->counters() : Counters{};
}

Counters TcpTransport::counters() const {
  Counters sum;
  for (const auto& peer : peers_) {
    if (peer) sum += peer->counters();
  }
  sum.system_calls += reactor_->system_calls();
  return sum;
}

}  // namespace dsm::transport
