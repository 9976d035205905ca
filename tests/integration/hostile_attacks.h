// SPDX-License-Identifier: Apache-2.0
// What hostile_peer sends: attacks as frames, and a peer that introduces itself properly before it sends them.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "libdsm/transport/handshake.h"
#include "libdsm/transport/sealed_stream.h"
#include "tests/integration/agent_pair_job.h"

namespace agent_pair {

struct Attack {
  enum class Outcome { kClosed, kAny };  // kAny: harmless, or closed; but never worse
  std::string name;
  bool on_data = false;  // which of the two connections
  // The raw bytes, from this node to that one.
  std::vector<std::byte> (*bytes)(const Attack&, uint16_t from, uint16_t to);
  Outcome outcome = Outcome::kClosed;
  size_t message = 0;  // an index into the sample messages, or a seed
};
std::vector<Attack> all_attacks();

class HostilePeer {
 public:
  HostilePeer();
  ~HostilePeer();
  HostilePeer(HostilePeer&&) noexcept;

  // Opens both connections of `node` to the agent at `at`. Ends the test if it is not taken.
  void connect(const dsm::transport::Endpoint& at, unsigned node, unsigned agent, const JobOptions& job);
  // As an honest node does that is connected to all others; node 0 waits for it.
  void say_mesh_complete();
  void attack(const Attack& attack);
  bool closed_within(int milliseconds);
  unsigned node() const { return node_; }

 private:
  struct Link {
    dsm::os::Fd fd;
    std::unique_ptr<dsm::transport::SealedStream> sealed;
  };
  void send(Link& link, std::span<const std::byte> bytes);

  unsigned node_ = 0, agent_ = 0;
  std::unique_ptr<dsm::transport::Authenticator> authenticator_;
  Link link_[2];  // messages, data
};

// One address in each block of the range whose directory shard a node below `limit` hosts.
std::vector<uint64_t> places_hosted_below(unsigned limit, unsigned nodes, uint64_t start, uint64_t bytes);

}  // namespace agent_pair
