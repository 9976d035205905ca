// SPDX-License-Identifier: Apache-2.0
// TcpPeer: what this node knows about one other node: its address, its two links, its counters.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libdsm/transport/tcp_link.h"

namespace dsm::transport {

// Written by TcpTransport::set_state only.
enum class PeerState : uint8_t {
  kAbsent,      // not added; links that it has dialed already may be waiting, unread
  kConnecting,  // added; not both links stand, or the receiver does not know yet
  kUp,          // messages flow
};
const char* to_string(PeerState state);

struct TcpPeer {
  TcpPeer(NodeId id, Receiver& receiver);

  FrameSink& sink(LinkClass c) { return c == LinkClass::kData ? data_sink : message_sink; }
  std::unique_ptr<TcpLink>& link(LinkClass c) { return c == LinkClass::kData ? data : messages; }
  bool both_links() const { return messages && data; }
  std::string name() const;  // "node 3 (host, 10.0.0.3:4711)"
  Counters counters() const;
  // Keeps the counts of a link that goes away.
  void retire(const TcpLink& link);

  // Counts, and passes on while the peer is up.
  class Sink final : public FrameSink {
   public:
    Sink(TcpPeer& peer, Receiver& receiver, LinkClass link_class)
        : peer_(peer), receiver_(receiver), class_(link_class) {}
    Status place(Bytes header, uint64_t size, Places& places) override;
    Status deliver(Bytes header, const Payload& payload) override;

   private:
    TcpPeer& peer_;
    Receiver& receiver_;
    const LinkClass class_;
  };

  const NodeId id;
  Endpoint at;
  PeerState state = PeerState::kAbsent;
  std::unique_ptr<TcpLink> messages, data;
  std::vector<std::pair<std::vector<std::byte>, os::Fd>> early_channels;  // came before the peer was up
  Counters counted;                                                       // messages; bytes of links that are gone
  Sink message_sink, data_sink;
};

}  // namespace dsm::transport
