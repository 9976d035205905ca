// SPDX-License-Identifier: Apache-2.0
// TCP sockets by numeric address. Everything here is non-blocking and close-on-exec.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "libdsm/base/result.h"
#include "libdsm/os/fd.h"

namespace dsm::os {

// "10.0.0.1" or "fe80::1%eth0" or "::1", as the user wrote it.
struct TcpAddress {
  std::string host;
  uint16_t port = 0;
};
std::string to_string(const TcpAddress&);  // "10.0.0.1:80", "[::1]:80"

// Port 0: the kernel picks one; see local_address().
Result<Fd> tcp_listen(const TcpAddress& at, int backlog);
Result<TcpAddress> local_address(int fd);
// The other end, or "unknown peer" with port 0 when the connection is gone already.
TcpAddress remote_address(int fd);

// Starts to connect. Writable means finished: connect_result() then says how (0 or errno).
Result<Fd> tcp_connect(const TcpAddress& to);
int connect_result(int fd);

// An invalid Fd when nobody waits.
Result<Fd> tcp_accept(int listener);

// No delay for small messages; congestion control that does not pace (BBR, the default of some hosts, spreads a burst of
// pages over a round trip that it overestimates whenever an agent was not scheduled); and keep-alive probes so that a host that vanished is noticed without traffic
// (after about 15 s; heartbeats are quicker, this is the net below them). Errors are ignored: a Unix socket has neither.
void set_stream_options(int fd);

// One receive or send that does not block. Bytes moved, 0 for the end of the stream (receive only), or -errno with
// -EAGAIN for "not now" (EINTR is retried inside).
long receive_now(int fd, std::span<std::byte> into);
long send_now(int fd, std::span<const std::byte> bytes);
long send_now(int fd, std::span<const iovec> parts);

}  // namespace dsm::os
