// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/network.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/wire/codec.h"

namespace dsm::sim {
namespace {

// Whose request number it is that a message carries.
template <class Message>
NodeId asker(const wire::Envelope& envelope, const Message& message) {
  if constexpr (requires { message.requester; }) return message.requester;
  return wire::is_for_directory(envelope.message) ? envelope.src : envelope.dst;
}

// Adds the numbers of a message to the digest and removes them from it.
template <class Message>
void take_numbers(const wire::Envelope& envelope, Message& message, Hasher& hasher) {
  if constexpr (requires { message.txn; }) {
    hasher.add_id(kTransactionIds, message.txn.value);
    message.txn = {};
  }
  if constexpr (requires { message.req; }) {
    hasher.add_id(request_ids(asker(envelope, message).value), message.req);
    message.req = 0;
  }
  if constexpr (std::is_same_v<Message, wire::ShardReport>)
    for (wire::ReportEntry& entry : message.entry) {
      hasher.add_id(kTransactionIds, entry.txn.value);
      entry.txn = {};
    }
}

}  // namespace

bool Packet::carries(PageNo page, Token token) const {
  const auto* data = std::get_if<wire::Data>(&envelope.message);
  if (data == nullptr || page.value - data->page.value >= payload.size()) return false;
  return payload[page.value - data->page.value] == token;
}

// By its encoding, which unlike the struct has no padding; the numbers in it apart, since they count by their order.
void Packet::digest(Hasher& hasher) const {
  wire::Envelope plain = envelope;
  std::visit([&](auto& message) { take_numbers(envelope, message, hasher); }, plain.message);
  std::array<std::byte, wire::kMaxHeaderBytes> bytes;
  const size_t size = wire::encode(plain, bytes);
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, &bytes[i], std::min(sizeof word, size - i));
    hasher.add(word);
  }
  for (const Token token : payload) hasher.add_id(kTokenIds, token);
  hasher.add(in_place);
}

Network::Channel Network::push(Packet packet) {
  const auto kind = static_cast<unsigned>(wire::channel_class(packet.envelope.message));
  const auto channel =
      static_cast<Channel>((packet.envelope.src.value * nodes_ + packet.envelope.dst.value) * kClasses + kind);
  channels_[channel].push_back(std::move(packet));
  return channel;
}

Packet Network::pop(Channel channel) {
  DSM_CHECK(!empty(channel));
  Packet packet = std::move(channels_[channel].front());
  channels_[channel].erase(channels_[channel].begin());
  return packet;
}

NodeId Network::destination(Channel channel) const {
  return NodeId{static_cast<uint16_t>(channel / kClasses % nodes_)};
}

bool Network::idle() const {
  return std::all_of(channels_.begin(), channels_.end(), [](const auto& queue) { return queue.empty(); });
}

bool Network::carries(PageNo page, Token token) const {
  for (const auto& queue : channels_)
    for (const Packet& packet : queue)
      if (packet.carries(page, token)) return true;
  return false;
}

bool Network::carries_part_of(BlockNo block) const {
  for (const auto& queue : channels_)
    for (const Packet& packet : queue)
      if (const auto* data = std::get_if<wire::Data>(&packet.envelope.message); data && data->page.block() == block)
        return true;
  return false;
}

void Network::digest(Hasher& hasher) const {
  for (size_t channel = 0; channel < channels_.size(); ++channel) {
    if (channels_[channel].empty()) continue;
    hasher.add(channel << 32 | channels_[channel].size());
    for (const Packet& packet : channels_[channel]) packet.digest(hasher);
  }
}

}  // namespace dsm::sim
