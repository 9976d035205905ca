// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/link_hello.h"

namespace dsm::transport {

uint64_t job_tag(std::string_view job) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (char c : job) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

LinkHello Membership::hello_to(NodeId peer, Purpose purpose) const {
  return {.magic = kLinkMagic,
          .version = kLinkVersion,
          .purpose = static_cast<uint8_t>(purpose),
          .protection = static_cast<uint8_t>(protection),
          .source = self.value,
          .destination = peer.value,
          .epoch = epoch,
          .job = job};
}

std::string Membership::objection_to(const LinkHello& hello) const {
  const auto number = [](auto n) { return std::to_string(n); };
  if (hello.magic != kLinkMagic) return "does not speak this protocol";
  if (hello.version != kLinkVersion)
    return "speaks version " + number(hello.version) + " of the protocol, this node version " + number(kLinkVersion);
  if (hello.purpose < static_cast<uint8_t>(Purpose::kMessages) || hello.purpose > static_cast<uint8_t>(Purpose::kChannel))
    return "asks for a connection of an unknown kind (" + number(hello.purpose) + ")";
  if (hello.job != job) return "belongs to another job";
  if (hello.epoch < epoch)
    return "comes from epoch " + number(hello.epoch) + ", which is over: this node is in epoch " + number(epoch);
  if (hello.epoch > epoch) return "comes from epoch " + number(hello.epoch) + ", this node is in epoch " + number(epoch);
  if (hello.protection != static_cast<uint8_t>(protection))
    return protection == Protection::kTls ? "wants a connection without encryption, which this job does not allow (--encrypt)"
                                          : "wants an encrypted connection, which this job does not use (--encrypt)";
  if (hello.source >= nodes)
    return "says that it is node " + number(hello.source) + ", of which this job has " + number(nodes);
  if (hello.source == self.value) return "says that it is node " + number(hello.source) + ", which is this node";
  if (hello.destination != self.value)
    return "looks for node " + number(hello.destination) + ", this is node " + number(self.value);
  return {};
}

}  // namespace dsm::transport
