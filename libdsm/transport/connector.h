// SPDX-License-Identifier: Apache-2.0
// Connector: makes new connections, in both directions, up to the point where they are authenticated. Retries a dial
// until its deadline (the other agent may not listen yet) and bounds what unknown callers can hold.
//
// Invariant: exactly one dialed() for each dial() that is not cancelled.
#pragma once
#include <memory>
#include <vector>

#include "libdsm/os/reactor.h"
#include "libdsm/os/socket.h"
#include "libdsm/transport/handshake.h"

namespace dsm::transport {

class ConnectorOwner {
 public:
  virtual std::string judge(const LinkHello& hello) = 0;
  virtual void accepted(Handshake::Outcome outcome) = 0;
  virtual void dialed(uint64_t cookie, Result<Handshake::Outcome> outcome) = 0;
  virtual void stranger(const Error& why) = 0;

 protected:
  ~ConnectorOwner() = default;
};

class Connector {
 public:
  struct Limits {
    TimeNs dial_ns = 10'000'000'000;         // until a peer must have answered
    TimeNs introduction_ns = 5'000'000'000;  // for a caller to prove who it is
    size_t strangers = 64;                   // callers at a time that have not
  };

  Connector(os::Reactor& reactor, const Authenticator& authenticator, const Membership& membership,
            const Limits& limits, ConnectorOwner& owner);
  ~Connector();

  Result<os::TcpAddress> listen(const os::TcpAddress& at);
  void dial(const os::TcpAddress& to, const LinkHello& hello, Bytes greeting, uint64_t cookie);
  void cancel(uint64_t cookie);

  // UINT64_MAX: none.
  TimeNs next_deadline() const;
  void on_timer(TimeNs now);
  // Frees what has finished; not inside a callback of the reactor.
  void sweep();

 private:
  struct Dial {
    os::TcpAddress to;
    LinkHello hello{};
    std::vector<std::byte> greeting;
    uint64_t cookie = 0;
    TimeNs deadline = 0;
    TimeNs retry_at = 0;  // 0: an attempt is under way
    bool over = false;
    std::unique_ptr<Handshake> handshake;
    std::vector<std::unique_ptr<Handshake>> spent;
  };

  void on_incoming();
  void attempt(Dial& dial);
  void attempt_failed(Dial& dial, const Error& error);
  void finish(Dial& dial, Result<Handshake::Outcome> outcome);

  os::Reactor& reactor_;
  const Authenticator& authenticator_;
  const Membership membership_;
  const Limits limits_;
  ConnectorOwner& owner_;
  os::Fd listener_;
  os::WatchId listener_watch_ = 0;
  std::vector<std::unique_ptr<Dial>> dials_;
  std::vector<std::unique_ptr<Handshake>> callers_;
};

}  // namespace dsm::transport
