// SPDX-License-Identifier: Apache-2.0
// Authenticator: how the two ends of a new connection prove to each other that they belong to the job. Pure: records
// in, records out. The connection is used for anything else only after both ends said kAccepted.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/transport/link_hello.h"
#include "libdsm/transport/stream_cipher.h"
#include "libdsm/transport/transport.h"

namespace dsm::transport {

enum class Role : uint8_t { kDialer, kAcceptor };

class AuthSession {
 public:
  virtual ~AuthSession() = default;

  enum class State : uint8_t {
    kContinue,  // send `reply` if not empty; another record is expected
    kAccepted,  // send `reply` if not empty; the other end is who it should be
  };
  struct Step {
    State state = State::kContinue;
    std::vector<std::byte> reply;
  };
  // Called first with an empty record (the dialer's opening), and then for each record of the other end. An error refuses it.
  virtual Result<Step> advance(Bytes record) = 0;
  // Once, after kAccepted: what the bytes behind the introduction go through. None: they are plain.
  virtual std::unique_ptr<StreamCipher> take_cipher() { return nullptr; }
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  virtual Protection protection() const = 0;
  // `binding`: a LinkHello and what follows it; both ends must have the same bytes.
  virtual std::unique_ptr<AuthSession> begin(Role role, Bytes binding) const = 0;
};

}  // namespace dsm::transport
