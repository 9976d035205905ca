// SPDX-License-Identifier: Apache-2.0
// Packets under way. One FIFO for each (source, destination, class); which of them moves next is for the scheduler.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/hasher.h"
#include "libdsm/wire/messages.h"
#include "tests/sim/oracle.h"

namespace dsm::sim {

struct Packet {
  wire::Envelope envelope;
  std::vector<Token> payload;  // one content a page
  bool in_place = false;       // the payload is in the receiver's memfd already, the message not yet handled
  bool carries(PageNo, Token) const;
  void digest(Hasher&) const;
};

class Network {
 public:
  explicit Network(unsigned nodes) : nodes_(nodes), channels_(size_t{nodes} * nodes * kClasses) {}

  using Channel = uint32_t;
  Channel push(Packet);          // the channel that it went to
  Packet pop(Channel);
  bool empty(Channel channel) const { return channels_[channel].empty(); }
  void mark_in_place(Channel channel) { channels_[channel].front().in_place = true; }
  const Packet& head(Channel channel) const { return channels_[channel].front(); }
  Channel channels() const { return static_cast<Channel>(channels_.size()); }
  NodeId destination(Channel) const;
  bool idle() const;
  bool carries(PageNo, Token) const;
  bool carries_part_of(BlockNo) const;
  void digest(Hasher&) const;

 private:
  static constexpr unsigned kClasses = 2;
  unsigned nodes_;
  std::vector<std::vector<Packet>> channels_;
};

}  // namespace dsm::sim
