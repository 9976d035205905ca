// SPDX-License-Identifier: Apache-2.0
// ChannelRelay: carries one byte stream between an encrypted connection and a Unix socket, whose other end belongs to a
// runtime. The runtime is freestanding and knows no cryptography; so where streams are encrypted, its agent does it.
//
// Invariants
//  1. At most kMaxHeldBytes wait in each direction: a side that does not read stops the side that writes.
//  2. When one side ends, what it said before is passed on, then the other side ends.
#pragma once
#include <memory>

#include "libdsm/os/fd.h"
#include "libdsm/os/reactor.h"
#include "libdsm/transport/sealed_stream.h"

namespace dsm::transport {

class ChannelRelay {
 public:
  static constexpr size_t kMaxHeldBytes = 64 * 1024;

  // Both descriptors are non-blocking. Works from the reactor's callbacks until finished().
  ChannelRelay(os::Reactor& reactor, NodeId peer, os::Fd connection, std::unique_ptr<StreamCipher> cipher, os::Fd local);
  ~ChannelRelay();
  ChannelRelay(const ChannelRelay&) = delete;
  ChannelRelay& operator=(const ChannelRelay&) = delete;

  NodeId peer() const { return peer_; }
  bool finished() const { return finished_; }
  // Ends both sides at once.
  void close();

 private:
  void pump();
  bool outward();
  bool inward();
  bool send_sealed();
  bool hand_over();

  os::Reactor& reactor_;
  const NodeId peer_;
  os::Fd connection_, local_;
  SealedStream sealed_;
  std::vector<std::byte> outgoing_;  // room for one read from the runtime
  std::vector<std::byte> plain_;     // decrypted; [plain_begin_, plain_end_) waits for the runtime
  size_t plain_begin_ = 0, plain_end_ = 0;
  bool local_ended_ = false, remote_ended_ = false, finished_ = false;
  os::WatchId connection_watch_ = 0, local_watch_ = 0;
};

}  // namespace dsm::transport
