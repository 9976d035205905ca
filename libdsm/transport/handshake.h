// SPDX-License-Identifier: Apache-2.0
// Handshake: what happens on a new TCP connection before anything else does. The dialer says what the connection is
// for, both ends authenticate, the acceptor gives its verdict. Not a byte behind the verdict is read here.
//
//   dialer                          acceptor
//   Hello(LinkHello, greeting) ->
//   Auth(...)                  ->
//                              <-   Auth(...)         (as many as the Authenticator wants)
//   Auth(...)                  ->
//                              <-   Verdict(empty: accepted, else the reason in words)
//
// States: kConnecting (dialer), kHello (acceptor waits for it), kAuth, kVerdict (dialer waits for it), kFinished.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "libdsm/os/fd.h"
#include "libdsm/os/reactor.h"
#include "libdsm/transport/authenticator.h"

namespace dsm::transport {

enum class Purpose : uint8_t { kMessages = 1, kData = 2, kChannel = 3 };

// On the wire, little-endian.
struct LinkHello {
  uint32_t magic;
  uint16_t version;
  uint8_t purpose;   // Purpose
  uint8_t reserved;  // 0
  uint16_t source;   // node ids
  uint16_t destination;
};
static_assert(sizeof(LinkHello) == 12);
inline constexpr uint32_t kLinkMagic = 0x4d534430;  // "0DSM"
inline constexpr uint16_t kLinkVersion = 1;
inline constexpr size_t kMaxGreetingBytes = 4096;

class Handshake {
 public:
  struct Outcome {
    os::Fd fd;
    LinkHello hello{};
    std::vector<std::byte> greeting;
  };
  // Called once, from the reactor; the handshake may be destroyed later, not inside.
  using Done = std::function<void(Handshake&, Result<Outcome>)>;
  // The acceptor's last word: empty to accept, or why not.
  using Judge = std::function<std::string(const LinkHello&)>;

  // Dialer, on a connection in progress.
  Handshake(os::Reactor& reactor, const Authenticator& authenticator, os::Fd connecting, const LinkHello& hello,
            Bytes greeting, TimeNs deadline, Done done);
  // Acceptor.
  Handshake(os::Reactor& reactor, const Authenticator& authenticator, os::Fd accepted, NodeId self, Judge judge,
            TimeNs deadline, Done done);
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
  void finish(Status status);

  os::Reactor& reactor_;
  const Authenticator& authenticator_;
  const Role role_;
  const NodeId self_;
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
