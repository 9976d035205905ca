// SPDX-License-Identifier: Apache-2.0
// What the launcher tells an agent (docs/interfaces.md, section 3), as plain values.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/coherence/cache_config.h"
#include "libdsm/runtime/abi.h"
#include "libdsm/transport/transport.h"

namespace dsm::agent {

inline constexpr size_t kSecretBytes = 32;

enum class PollMode : uint8_t {
  kAuto,    // spin shortly while a transaction is in flight, if this host has the CPUs for it
  kAlways,  // never block
  kNever,   // always block
};

// How the connections between agents are protected. Who does not know the job's secret is refused in each of them.
enum class Encrypt : uint8_t {
  kAuto,  // kOn, but kAuth where the agent listens at a loopback address: then all nodes are on this machine
  kOn,    // TLS 1.3
  kAuth,  // both ends prove that they know the secret; what follows is plain
};

struct Configure {
  std::string job;
  uint32_t epoch = 0;  // of the job's membership; only peers of the same one are taken
  NodeId node;
  unsigned nodes = 1;
  std::array<std::byte, kSecretBytes> secret{};
  std::string runtime;  // path of dsm-runtime
  std::string bind;     // numeric address, or that by which ssh ("reached") or slurmd ("slurm") reached this host
  std::string interface;  // NAME or ADDRESS/BITS, wins over `bind`; empty: not given
  abi::Placement place = abi::kPlaceRoundRobin;
  uint32_t place_node = 0;
  coherence::LeaseConfig lease;
  PollMode poll = PollMode::kAuto;
  Encrypt encrypt = Encrypt::kAuto;
  uint32_t hold_us = 20;
  uint32_t heartbeat_ms = 500;
  uint64_t memory_bytes = 0;  // this node's budget; 0: none
  std::string checkpoint_dir;      // origin: where generations go; empty: none are kept
  uint64_t checkpoint_every_ms = 0;  // 0: only when the program asks
  std::string checkpoint_job;      // their name there
  std::string checkpoint_program;  // for people
  std::string restore_dir, restore_job;  // origin: the program goes on from this job's ...
  uint64_t restore_generation = 0;       // ... committed generation
  bool verbose = false;
  double chaos_hz = 0;    // tests: so many threads a second move to random nodes
  uint64_t chaos_seed = 1;
  int app_fd = -1;  // origin: our end of the socketpair to the application's runtime
  bool ends_app = false;  // origin: the program is no child of the launcher, so who ends it when all others are gone is this agent
  Mutation mutation = Mutation::kNone;  // seeded protocol bug, for the tests' own proof

  bool is_origin() const { return node == kOrigin; }
};

struct Peer {
  NodeId node;
  transport::Endpoint at;
};
struct Peers {
  std::vector<Peer> peers;  // every node, this one included
  std::vector<unsigned> cpus;
  int app_pid = 0;
  bool origin_clock = false;  // the nodes' clocks differ, or their kernels: threads ask the origin for the time
};

struct StatsQuery {
  uint64_t id = 0;
};
// To the origin's agent.
struct MoveThread {
  uint64_t id = 0;
  int tid = 0;
  unsigned node = 0;
};
// To every agent.
struct Drain {
  unsigned node = 0;
  bool on = true;
};
struct Shutdown {};
struct Pause {};    // job control: the program is stopped
struct Resume {};   // and goes on

using Command = std::variant<Configure, Peers, StatsQuery, MoveThread, Drain, Shutdown, Pause, Resume>;

}  // namespace dsm::agent
