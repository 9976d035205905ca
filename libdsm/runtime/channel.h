// SPDX-License-Identifier: Apache-2.0
// Sending and receiving on a channel's stream socket. One write and, as a rule, one read a message; a receiver polls for
// Welcome.spin_us before it blocks, unless polling has not paid lately.
//
// Context: ordinary runtime code, and handlers that have interrupted program code. EINTR-proof. A channel that is closed
// does not return: the other process is gone, and `on_channel_closed` says what that means here.
#pragma once
#include "libdsm/runtime/channel_protocol.h"
#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/thread.h"

namespace dsm::runtime::channel {

// The largest message with all that follows it: a frame with AMX state, or a marshalled call.
inline constexpr size_t kMaxInlineBytes = 4096 + 512;
inline constexpr size_t kMaxMessageBytes = 16 << 10;

// Received bytes, in the caller's memory: one whole message at the front, and what came behind it if the sender did not
// wait for an answer. Set size and taken to 0 before the first use.
struct alignas(64) Buffer {
  uint8_t bytes[kMaxMessageBytes];
  size_t size;
  size_t taken;         // of the message at the front
  const Header& header() const { return *reinterpret_cast<const Header*>(bytes); }
  template <typename Message>
  const Message& as() const {
    return *reinterpret_cast<const Message*>(bytes);
  }
  const uint8_t* tail() const { return bytes + (taken - header().bytes); }
};

// Bytes of the struct that a message of this type begins with; 0 for a type that does not exist.
size_t struct_bytes(Type type);

// Sends `message` with `tail` behind it as one message; fills in header.bytes.
void send_bytes(Thread& thread, void* message, size_t struct_size, const void* tail, size_t tail_bytes);
template <typename Message>
void send(Thread& thread, Message& message, const void* tail = nullptr, size_t tail_bytes = 0) {
  send_bytes(thread, &message, sizeof message, tail, tail_bytes);
}

// Waits for one whole message; the one before is gone.
void receive(Thread& thread, Buffer& buffer);

// 0 or -errno.
int64_t write_all(int fd, const void* data, size_t bytes);

}  // namespace dsm::runtime::channel
