// SPDX-License-Identifier: Apache-2.0
// Transport over TCP: two connections per pair of nodes, so that a large payload is received straight into its place and
// never stands in front of a message. The wait is io_uring (epoll where that is switched off).
//
// Why it is built so. Measured with 64 bytes answered by 4136, both ends spinning, 2 vCPUs, Linux 6.18, medians of
// interleaved rounds, relative to recv and send in a loop:
//   direct send and direct receive, the reactor armed beside it     1.05 - 1.10
//   direct send, multishot poll, receive when told                  1.2 - 1.3
//   direct send, multishot receive into provided buffers            1.15 - 1.3
//   both by io_uring                                                1.2 - 1.4
// so what can be done at once is done by plain calls, and io_uring is for what has to wait: sleeping on all descriptors,
// multishot receives of messages while sleeping, room in a full socket. Links are armed at the first sleep: until then
// their sender pays for no wake-up. tests/bench/transport_bench measures the whole against a bare socket: 1.15 - 1.2 for a
// page, 1.2 for a stream of 256 KiB runs (on a machine that was busy with other work).
#pragma once
#include <array>
#include <map>
#include <memory>
#include <vector>

#include "libdsm/os/reactor.h"
#include "libdsm/transport/authenticator.h"
#include "libdsm/transport/channel_relay.h"
#include "libdsm/transport/connector.h"
#include "libdsm/transport/tcp_peer.h"
#include "libdsm/transport/transport.h"

namespace dsm::transport {

struct TcpConfig {
  NodeId self;
  FrameLimits limits;
  Connector::Limits connecting;
  uint64_t max_queued_bytes = 256u << 20;  // per link; a peer that leaves more unread is closed as dead
  // Compared with what a caller says.
  uint16_t nodes = kMaxNodes;
  uint64_t job = 0;  // job_tag()
  uint32_t epoch = 0;
};

class TcpTransport final : public Transport, private ConnectorOwner, private LinkOwner {
 public:
  // Belongs to the calling thread. The authenticator and the receiver must outlive it.
  static Result<std::unique_ptr<TcpTransport>> make(const TcpConfig& config, const Authenticator& authenticator,
                                                    Receiver& receiver);
  // On a reactor of the caller's choice.
  TcpTransport(const TcpConfig& config, const Authenticator& authenticator, Receiver& receiver,
               std::unique_ptr<os::Reactor> reactor);
  ~TcpTransport() override;

  Result<Endpoint> listen(const Endpoint& at) override;
  void add_peer(NodeId peer, const Endpoint& at) override;
  void close_peer(NodeId peer) override;
  void open_channel(NodeId peer, Bytes greeting, uint64_t token) override;
  void send(NodeId peer, Bytes header) override;
  Sent send_data(NodeId peer, Bytes header, std::span<const Bytes> payload, uint64_t token) override;
  uint64_t queued_bytes(NodeId peer) const override;
  WatchId watch(int fd, uint32_t events, std::function<void(uint32_t)> ready) override;
  void unwatch(WatchId id) override;
  size_t poll(uint64_t timeout_ns) override;
  Counters counters() const override;
  Counters counters(NodeId peer) const override;

  const char* reactor_name() const { return reactor_->name(); }

 private:
  // What a dial of the connector is for.
  struct Dial {
    NodeId peer;
    Purpose purpose;
    uint64_t token;  // kChannel
  };

  // ConnectorOwner
  std::string judge(const LinkHello& hello) override;
  void accepted(Handshake::Outcome outcome) override;
  void dialed(uint64_t cookie, Result<Handshake::Outcome> outcome) override;
  void stranger(const Error& why) override;
  // LinkOwner
  void on_link_event(TcpLink& link) override;
  void on_sent(uint64_t token) override;

  TcpPeer* find(NodeId peer) const;
  TcpPeer& peer_at(NodeId peer);
  void set_state(TcpPeer& peer, PeerState state);
  void dial(TcpPeer& peer, Purpose purpose, Bytes greeting, uint64_t token);
  void add_link(TcpPeer& peer, LinkClass link_class, Handshake::Outcome& outcome);
  Result<os::Fd> channel_stream(NodeId peer, Handshake::Outcome& outcome);
  void drop_link(TcpPeer& peer, LinkClass link_class);
  void go_up_if_complete(TcpPeer& peer);
  void go_down(TcpPeer& peer);
  void lose(TcpPeer& peer, Error why);
  void deliver_channel(TcpPeer& peer, Bytes greeting, os::Fd stream);
  Sent send_on(NodeId peer, LinkClass link_class, Bytes header, std::span<const Bytes> payload, uint64_t token);
  void probe_often(TcpLink& link);
  size_t probe_links();
  bool probe(TcpLink& link);
  void arm_links();
  size_t settle();
  size_t bury(TcpPeer& peer);
  void note_failure(TcpPeer& peer);

  const TcpConfig config_;
  const Membership membership_;
  Receiver& receiver_;
  std::unique_ptr<os::Reactor> reactor_;
  Connector connector_;
  std::vector<std::unique_ptr<TcpPeer>> peers_;  // by node id
  std::map<uint64_t, Dial> dials_;
  uint64_t last_cookie_ = 0;
  std::vector<TcpLink*> probed_;                 // most recently active first
  std::vector<std::unique_ptr<TcpLink>> graveyard_;
  std::vector<std::unique_ptr<ChannelRelay>> relays_;  // channels that are encrypted
  std::vector<std::function<void()>> later_;     // callbacks that wait for poll()
  std::vector<TcpPeer*> failing_;                // have a link that failed
  unsigned polls_ = 0;
};

}  // namespace dsm::transport
