// SPDX-License-Identifier: Apache-2.0
// TcpLink: one authenticated TCP connection to a peer, of class message or data.
//
// Sending goes straight to the socket; what does not fit waits in a queue until the socket is writable again.
// Receiving has two ways: probe(), a direct receive, for the owner that spins, and the reactor for the owner that
// sleeps: for messages a multishot receive, for data readiness and then direct receives into the payload's place.
// The reactor is told of the link at arm(), so that a link that is only ever probed costs its sender no wake-up.
//
// With a cipher the bytes go through a SealedStream on their way: a frame is sealed as a whole, so its payload is free at
// once, and large payloads are decrypted straight into their place. Without one nothing of that is touched.
//
// Invariants
//  1. After failed() nothing is delivered, and sends vanish.
//  2. Errors found while sending are kept for the owner, who asks failed() from poll(); nothing is called back from send().
#pragma once
#include <optional>

#include "libdsm/os/fd.h"
#include "libdsm/os/reactor.h"
#include "libdsm/transport/frame_reader.h"
#include "libdsm/transport/sealed_stream.h"
#include "libdsm/transport/send_queue.h"

namespace dsm::transport {

class TcpLink;

class LinkOwner {
 public:
  // Something arrived or the link failed, inside the reactor.
  virtual void on_link_event(TcpLink& link) = 0;
  virtual void on_sent(uint64_t token) = 0;

 protected:
  ~LinkOwner() = default;
};

enum class LinkClass : uint8_t { kMessages, kData };

class TcpLink {
 public:
  // `cipher` may be null: plain bytes.
  TcpLink(LinkClass link_class, os::Fd fd, std::unique_ptr<StreamCipher> cipher, os::Reactor& reactor, LinkOwner& owner,
          FrameSink& sink, const FrameLimits& limits, uint64_t max_queued_bytes);
  ~TcpLink();
  TcpLink(const TcpLink&) = delete;
  TcpLink& operator=(const TcpLink&) = delete;

  Sent send(Bytes header, std::span<const Bytes> payload, uint64_t token);
  // Receives until the socket is empty. Whether anything came.
  bool probe();
  void arm();
  bool armed() const { return receive_watch_ != 0; }

  const std::optional<Error>& failed() const { return failed_; }
  // Ends it at once: borrowed payloads are reported through LinkOwner::on_sent.
  void close();

  uint64_t queued_bytes() const { return queue_.bytes() + (sealed_ ? sealed_->queued_bytes() : 0); }
  // bytes, payload copies and system calls only
  const Counters& counters() const { return counters_; }

 private:
  long send_first(const FrameHead& head, Bytes header, std::span<const Bytes> payload);
  void send_sealed(const FrameHead& head, Bytes header, std::span<const Bytes> payload);
  bool receive(bool until_end);
  void take(size_t bytes);
  void deliver(size_t bytes);
  void open_sealed(Bytes received);
  void on_arrived(Bytes bytes, int error);
  void on_readable(uint32_t revents);
  void on_writable();
  void await_room();
  void flush();
  void end_of_stream(int error);
  void fail(Error error);

  const LinkClass class_;
  os::Fd fd_;
  os::Reactor& reactor_;
  LinkOwner& owner_;
  const uint64_t max_queued_bytes_;
  std::vector<std::byte> first_;  // head and header of the message being sent
  FrameReader reader_;
  SendQueue queue_;
  std::unique_ptr<SealedStream> sealed_;
  std::vector<iovec> parts_;
  os::WatchId receive_watch_ = 0;
  os::WatchId send_watch_ = 0;
  std::optional<Error> failed_;
  Counters counters_;
};

}  // namespace dsm::transport
