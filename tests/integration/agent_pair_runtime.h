// SPDX-License-Identifier: Apache-2.0
// A runtime's side of libdsm/runtime/abi.h, as plain C++ over one fixed region: what the fake application and the fake
// vessels of agent_pair are made of.
#pragma once
#include <string>
#include <vector>

#include "libdsm/os/fd.h"
#include "libdsm/runtime/abi.h"
#include "tests/integration/agent_pair_protocol.h"

namespace agent_pair {

class FakeRuntime {
 public:
  explicit FakeRuntime(int socket) : socket_(socket) {}

  // Creates userfaultfd, memfd and board, and waits for the Welcome.
  dsm::abi::Welcome hello();
  // The whole region, tracked, as a vessel has it.
  void map_flat();
  void ready();

  // Application: maps [address, +bytes) as the runtime does: PROT_NONE, MapAdd, real protection.
  void map(uint64_t address, uint64_t bytes, uint32_t prot, dsm::abi::MapKind kind = dsm::abi::MapKind::kPrivate,
           int file = -1, uint64_t file_bytes = 0);
  void unmap(uint64_t address, uint64_t bytes);
  void protect(uint64_t address, uint64_t bytes, uint32_t prot);
  void drop(uint64_t address, uint64_t bytes);
  void freeze(uint64_t address, uint64_t bytes);
  void thaw(uint64_t address, uint64_t bytes);
  int open_channel(uint32_t node);
  dsm::abi::ReplyStats stats();

  // Vessel: the next channel; -1 when the agent is gone.
  int next_channel();

 private:
  dsm::abi::Packet call(dsm::abi::Packet request, std::vector<int> fds, std::vector<dsm::os::Fd>* received);
  void range_call(dsm::abi::Op op, uint64_t address, uint64_t bytes);

  int socket_;
  uint32_t serial_ = 0;
  dsm::os::Fd uffd_, memfd_;
  dsm::abi::Board* board_ = nullptr;
};

Answer ask(int channel, const Order& order);
void serve_orders(int channel);  // until the other end closes
// A whole vessel behind its agent's control socket: a thread for each channel, until the agent is gone.
[[noreturn]] void run_vessel(int socket);
[[noreturn]] void give_up(const std::string& what);

}  // namespace agent_pair
