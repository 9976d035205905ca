// SPDX-License-Identifier: Apache-2.0
// Transport: how the agents of one job talk. Between each pair of nodes there are two ordered classes that may
// overtake each other: messages (a header only) and data (a header and page payload). TCP over io_uring is the first
// implementation (tcp_transport.h), loopback.h and faulty.h serve the tests.
//
// Who may call what: one thread owns a Transport and makes all calls. The Receiver is called from poll() only, never
// from send() or another call, and may call everything but poll() and the destructor.
//
// Invariants
//  1. Per (source, destination, class) what arrives is a prefix of what was sent: in order, complete, nothing twice.
//  2. on_peer_up(n) comes before anything else of n; on_peer_down(n) comes exactly once per peer that was added
//     (unless the Transport is destroyed first) and nothing of n comes after it.
//  3. send() and send_data() never block. Bytes of a borrowed payload are not read after on_payload_sent(token), and
//     that comes exactly once for each kPending, also when the peer dies.
//  4. Hostile or broken input ends the connection that it came on, and no other.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/base/result.h"
#include "libdsm/os/fd.h"

namespace dsm::transport {

using Bytes = std::span<const std::byte>;
using Places = std::vector<std::span<std::byte>>;

// A numeric IPv4 or IPv6 address (names are resolved by the launcher), and a name for people, which may be empty.
struct Endpoint {
  std::string address;
  uint16_t port = 0;
  std::string host;
};

// The payload of a data message. Either the receiver chose its place (then it is complete there and `bytes` is
// empty), or it lies in a buffer of the transport, contiguous, until the callback returns.
struct Payload {
  uint64_t size = 0;
  bool placed = false;
  Bytes bytes;
};

class Receiver {
 public:
  virtual ~Receiver() = default;

  virtual void on_peer_up(NodeId peer) = 0;
  // The peer is gone or never came; `why` is one line that names it, for the log. Not called for close_peer().
  virtual void on_peer_down(NodeId peer, const Error& why) = 0;

  // An error returned by on_message, place_payload or on_data (input that does not decode) closes that peer, and
  // on_peer_down follows with it.
  virtual Status on_message(NodeId source, Bytes header) = 0;
  // A large payload is about to arrive: append the spans, `size` bytes together, into which it is to be received
  // without a further copy. They must stay valid until on_data or on_peer_down. Append nothing to get it in a
  // buffer of the transport. Not asked for a single page, which comes in that buffer always: the copy out of it is
  // cheaper than a second receive, and it can wait for the decision of the protocol.
  virtual Status place_payload(NodeId source, Bytes header, uint64_t size, Places& places) = 0;
  virtual Status on_data(NodeId source, Bytes header, const Payload& payload) = 0;

  // The memory of send_data(.., token) may be used again.
  virtual void on_payload_sent(uint64_t token) = 0;

  // An authenticated byte stream from `source`, opened there by open_channel(.., greeting). Blocking mode,
  // TCP_NODELAY, close-on-exec.
  virtual void on_channel(NodeId source, Bytes greeting, os::Fd stream) = 0;
  // Answer to open_channel: a stream like that, or the error.
  virtual void on_channel_opened(uint64_t token, Result<os::Fd> stream) = 0;

  // A connection was turned away before it proved who it is; one line for the log.
  virtual void on_stranger(const Error& why) = 0;
};

struct Counters {
  uint64_t messages_in = 0, messages_out = 0;            // both classes
  uint64_t data_in = 0, data_out = 0;                    // of these, with payload
  uint64_t bytes_in = 0, bytes_out = 0;                  // on the wire, framing included
  uint64_t payload_bytes_in = 0, payload_bytes_out = 0;
  uint64_t payload_bytes_copied = 0;                     // by user-space copies inside the transport, both directions
  uint64_t system_calls = 0;                             // those of the wait are in the whole transport's only

  Counters& operator+=(const Counters& other);
};

enum class Sent : uint8_t {
  kTaken,    // the memory may be used again at once
  kPending,  // it must stay as it is until on_payload_sent(token)
};

using WatchId = uint32_t;
inline constexpr uint64_t kForever = UINT64_MAX;

class Transport {
 public:
  virtual ~Transport() = default;
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Starts to accept peers at this address (port 0: the kernel picks one) and says where. Once.
  virtual Result<Endpoint> listen(const Endpoint& at) = 0;

  // Makes `peer` part of the mesh. The higher node number connects, the lower one accepts; both report on_peer_up
  // when both connections stand, or on_peer_down after the configured deadline.
  virtual void add_peer(NodeId peer, const Endpoint& at) = 0;

  // Closes both connections at once; what is queued is lost. No on_peer_down follows. A later add_peer begins anew.
  virtual void close_peer(NodeId peer) = 0;

  // Opens a byte stream of another kind to a peer of the mesh; on_channel_opened(token) follows.
  virtual void open_channel(NodeId peer, Bytes greeting, uint64_t token) = 0;

  // Queues a message. The header is taken at once. To a peer that is not up it vanishes, like one that is in flight
  // when a peer dies. A peer that leaves more than the configured limit unread is closed as dead.
  virtual void send(NodeId peer, Bytes header) = 0;
  // The same with payload (the concatenation of the slices). With token 0 what cannot leave at once is copied and the
  // answer is kTaken; otherwise it stays where it is.
  virtual Sent send_data(NodeId peer, Bytes header, std::span<const Bytes> payload, uint64_t token) = 0;

  // Bytes that wait in user space for this peer; for callers that want to slow down before the limit.
  virtual uint64_t queued_bytes(NodeId peer) const = 0;

  // Makes another descriptor part of the one wait: `ready(revents)` is called from poll() when it has become ready
  // for `events` (POLLIN, POLLOUT; errors and hang-up always). Edge-triggered: the callback must read until EAGAIN, so
  // the descriptor must be non-blocking. It must stay open until unwatch().
  virtual WatchId watch(int fd, uint32_t events, std::function<void(uint32_t revents)> ready) = 0;
  virtual void unwatch(WatchId id) = 0;

  // Handles everything that has arrived; if nothing has, waits for at most `timeout_ns` (0: not at all, kForever: no
  // limit). Returns how many callbacks ran. Cheap with 0: made to be called in a loop that spins.
  virtual size_t poll(uint64_t timeout_ns) = 0;

  virtual Counters counters() const = 0;              // whole transport
  virtual Counters counters(NodeId peer) const = 0;   // zeros for a peer never added
};

}  // namespace dsm::transport
