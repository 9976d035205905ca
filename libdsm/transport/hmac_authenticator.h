// SPDX-License-Identifier: Apache-2.0
// Mutual challenge and response with HMAC-SHA256 over the job's secret:
//   dialer -> acceptor   nonce_d (32 bytes)
//   acceptor -> dialer   nonce_a, HMAC(secret, "dsm acceptor" nonce_d nonce_a binding)
//   dialer -> acceptor   HMAC(secret, "dsm dialer" nonce_d nonce_a binding)
// The labels keep one end's answer from being played back as the other's. It proves membership when the connection is
// made; it does not protect what is sent afterwards.
#pragma once
#include "libdsm/transport/authenticator.h"
#include "libdsm/transport/job_secret.h"

namespace dsm::transport {

class HmacAuthenticator final : public Authenticator {
 public:
  explicit HmacAuthenticator(const Secret& secret) : secret_(secret) {}
  ~HmacAuthenticator() override;
  Protection protection() const override { return Protection::kChallenge; }
  std::unique_ptr<AuthSession> begin(Role role, Bytes binding) const override;

 private:
  Secret secret_;
};

}  // namespace dsm::transport
