// SPDX-License-Identifier: Apache-2.0
// One datagram with descriptors over an AF_UNIX SOCK_SEQPACKET socket.
#pragma once
#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <vector>

#include "libdsm/os/fd.h"

namespace dsm::os {

inline constexpr size_t kMaxPassedFds = 4;

// 0 or -errno; -EAGAIN on a full non-blocking socket. Never raises SIGPIPE.
int send_packet(int socket, std::span<const std::byte> bytes, std::span<const int> fds = {});

// Bytes received, 0 when the other end is closed, -errno (-EAGAIN: nothing there, -EMSGSIZE: longer than `into`).
// Descriptors arrive with close-on-exec set. `sender`, if given, is who sent it by the kernel's word; the socket must have SO_PASSCRED.
int receive_packet(int socket, std::span<std::byte> into, std::vector<Fd>* fds, ucred* sender = nullptr);

// A connected pair, close-on-exec. 0 or -errno.
int make_packet_pair(Fd* a, Fd* b);

}  // namespace dsm::os
