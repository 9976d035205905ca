// SPDX-License-Identifier: Apache-2.0
// The control socket to the node agent (abi.h): packets with descriptors, one request outstanding at a time.
//
// Context: as lock.h. Every call is proof against EINTR. A closed socket means that the agent is gone; the process
// then exits at once with abi::kExitOurs.
#pragma once
#include "libdsm/runtime/abi.h"
#include "libdsm/runtime/lock.h"

namespace dsm::runtime {

// The packet with descriptors, over any socket: what the kernel's sendmsg returns.
int64_t send_packet(int socket, const abi::Packet& packet, const int* fds, unsigned fd_count);

// Waits until the socket has something to read, or its end: what poll returned (0: not in time, or -errno but never -EINTR).
int64_t readable_within(int fd, uint64_t milliseconds);

class Control {
 public:
  // Takes the descriptor over. No other use before.
  void open(int fd) { fd_ = fd; }
  int fd() const { return fd_; }

  // Sends `packet` with up to three descriptors. The serial is filled in.
  void send(abi::Packet& packet, const int* fds, unsigned fd_count);
  // The next packet from the agent. A descriptor that came along is stored in *fd (-1 if none); it is close-on-exec.
  void receive(abi::Packet& packet, int* fd);
  // Request and reply as one: returns the reply's status, and the whole reply in `packet`.
  int64_t request(abi::Packet& packet, int fd_to_agent = -1, int* fd_from_agent = nullptr);
  // The same for a process that is about to die: -ETIMEDOUT instead of waiting any longer, and then never used again.
  int64_t request_within(abi::Packet& packet, uint64_t milliseconds);
  Lock& lock() { return lock_; }

 private:
  Lock lock_;
  int fd_ = -1;
  uint32_t serial_ = 0;
};

// Requests of the application, by name. All return 0 or -errno.
int64_t agent_map_add(const abi::MapAdd& range, int file_fd);
int64_t agent_map_protect(uint64_t start, uint64_t length, uint32_t prot);
int64_t agent_range(abi::Op op, uint64_t start, uint64_t length);   // those of abi::MapRange

}  // namespace dsm::runtime
