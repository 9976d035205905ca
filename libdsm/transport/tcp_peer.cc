// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/tcp_peer.h"

#include <cerrno>

#include "libdsm/os/socket.h"

namespace dsm::transport {
namespace {

Error not_up() { return Error{"closed by this node", ECANCELED}; }

}  // namespace

const char* to_string(PeerState state) {
  switch (state) {
    case PeerState::kAbsent: return "absent";
    case PeerState::kConnecting: return "connecting";
    case PeerState::kUp: return "up";
  }
  return "?";
}

TcpPeer::TcpPeer(NodeId node, Receiver& receiver)
    : id(node), message_sink(*this, receiver, LinkClass::kMessages), data_sink(*this, receiver, LinkClass::kData) {}

std::string TcpPeer::name() const {
  std::string text = "node " + std::to_string(id.value);
  if (at.address.empty()) return text;
  return text + " (" + (at.host.empty() ? "" : at.host + ", ") + os::to_string({at.address, at.port}) + ")";
}

Counters TcpPeer::counters() const {
  Counters sum = counted;
  if (messages) sum += messages->counters();
  if (data) sum += data->counters();
  return sum;
}

void TcpPeer::retire(const TcpLink& link) { counted += link.counters(); }

Status TcpPeer::Sink::place(Bytes header, uint64_t size, Places& places) {
  if (peer_.state != PeerState::kUp) return not_up();
  return receiver_.place_payload(peer_.id, header, size, places);
}

Status TcpPeer::Sink::deliver(Bytes header, const Payload& payload) {
  if (peer_.state != PeerState::kUp) return not_up();
  ++peer_.counted.messages_in;
  if (class_ == LinkClass::kMessages) return receiver_.on_message(peer_.id, header);
  if (payload.size > 0) ++peer_.counted.data_in;
  peer_.counted.payload_bytes_in += payload.size;
  return receiver_.on_data(peer_.id, header, payload);
}

}  // namespace dsm::transport
