// SPDX-License-Identifier: Apache-2.0
// Handshake: what happens on a new TCP connection before anything else does. The dialer says what the connection is
// for, both ends authenticate, the acceptor gives its verdict. Not a byte behind the verdict is read here.
//
//   dialer                          acceptor
//   Hello(LinkHello, greeting) ->
//   Auth(...)                  ->
//                              <-   Auth(...)         (as many as the Authenticator wants)
//   Auth(...)                  ->
//                              <-   Verdict(empty: accepted, else the reason in words; the latter at any time)
//
// States: kConnecting (dialer), kHello (acceptor waits for it), kAuth, kVerdict (dialer waits for it), kFinished.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "libdsm/os/fd.h"
#include "libdsm/os/reactor.h"
#include "libdsm/transport/authenticator.h"
#include "libdsm/transport/link_hello.h"

namespace dsm::transport {

class Handshake {
 public:
  struct Outcome {
    os::Fd fd;
    LinkHello hello{};
    std::vector<std::byte> greeting;
    std::unique_ptr<StreamCipher> cipher;  // none: plain bytes
  };
  // Called once, from the reactor; the handshake may be destroyed later, not inside.
  using Done = std::function<void(Handshake&, Result<Outcome>)>;
  // The acceptor's last word: empty to accept, or why not.
  using Judge = std::function<std::string(const LinkHello&)>;

  // Dialer, on a connection in progress.
  Handshake(os::Reactor& reactor, const Authenticator& authenticator, os::Fd connecting, const LinkHello& hello,
            Bytes greeting, TimeNs deadline, Done done);
  // Acceptor.
  Handshake(os::Reactor& reactor, const Authenticator& authenticator, os::Fd accepted, const Membership& membership,
            Judge judge, TimeNs deadline, Done done);
  ~Handshake();
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  TimeNs deadline() const { return deadline_; }
  bool finished() const { return state_ == State::kFinished; }
  // The deadline has passed.
  void expire();

 private:
  enum class State : uint8_t { kConnecting, kHello, kAuth, kVerdict, kFinished };
  enum class Record : uint32_t { kHello = 1, kAuth = 2, kVerdict = 3 };
  struct RecordHead {
    uint32_t type;
    uint32_t bytes;
  };
  static_assert(sizeof(RecordHead) == 8);

  void watch();
  void on_ready(uint32_t revents);
  Status connected();
  Status read_records();
  Result<bool> read_record();  // false: not complete yet
  Status on_record(Record type, Bytes body);
  Status on_hello(Bytes body);
  Status on_auth(Bytes body);
  Status send(Record type, Bytes body);
  Error refuse(Error why);
  void finish(Status status);

  os::Reactor& reactor_;
  const Authenticator& authenticator_;
  const Role role_;
  const Membership membership_;
  const TimeNs deadline_;
  State state_;
  os::Fd fd_;
  os::WatchId watch_ = 0;
  LinkHello hello_{};
  std::vector<std::byte> greeting_;
  std::vector<std::byte> input_;  // the record being read, head included
  std::unique_ptr<AuthSession> session_;
  Judge judge_;
  Done done_;
};

}  // namespace dsm::transport
