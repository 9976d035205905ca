// SPDX-License-Identifier: Apache-2.0
// Bytes through pipes and stream sockets.
#pragma once
#include <cstddef>
#include <span>

#include "libdsm/os/fd.h"

namespace dsm::os {

// Bytes read, 0 at the end, -errno. EINTR is repeated.
int read_some(int fd, std::span<std::byte> into);
// All of it, waiting where the descriptor is non-blocking, each time for at most `patience_ms` (-1: for ever; then -ETIMEDOUT).
// 0 or -errno. The process must ignore SIGPIPE.
int write_all(int fd, std::span<const std::byte> from, int patience_ms = -1);
// Something to read, or the end, within the time. False also for a descriptor that cannot be waited for.
bool wait_readable(int fd, int patience_ms);
// Two ends of a stream, close-on-exec. 0 or -errno.
int make_stream_pair(Fd* a, Fd* b);

}  // namespace dsm::os
