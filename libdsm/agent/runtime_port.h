// SPDX-License-Identifier: Apache-2.0
// RuntimePort: the control socket to the runtime in the application or vessel (libdsm/runtime/abi.h): packets in, packets
// and descriptors out. Owner-thread only. The runtime is the user's own process and may send anything: what is not a
// whole packet closes the port.
//
// Replies carry the serial of their request; several requests may be open.
#pragma once
#include <deque>
#include <vector>

#include "libdsm/os/fd.h"
#include "libdsm/runtime/abi.h"

namespace dsm::agent {

struct RuntimeRequest {
  abi::Packet packet;
  std::vector<os::Fd> fds;
};

class RuntimePort {
 public:
  RuntimePort() = default;
  explicit RuntimePort(os::Fd socket);  // made non-blocking

  bool open() const { return static_cast<bool>(socket_); }
  int fd() const { return socket_.get(); }
  void close() { socket_.reset(); }

  enum class Input { kNothing, kRequest, kClosed };
  Input receive(RuntimeRequest& request);

  // Takes over the descriptors. What the socket has no room for waits here for flush().
  void send(const abi::Packet& packet, std::vector<os::Fd> fds = {});
  void reply(uint32_t serial, int64_t status, os::Fd fd = {});
  // Sends what waits. Returns true when nothing does any more.
  bool flush();

 private:
  struct Outgoing {
    abi::Packet packet;
    std::vector<os::Fd> fds;
  };
  int try_send(const Outgoing& out);

  os::Fd socket_;
  std::deque<Outgoing> waiting_;
};

}  // namespace dsm::agent
