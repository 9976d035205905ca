// SPDX-License-Identifier: Apache-2.0
// TLS 1.3 with an external pre-shared key (libssl), instead of certificates: who has the job's secret belongs to the job.
// The TLS handshake travels in the Auth records of the introduction; what follows the introduction is encrypted.
//
//   key       = HKDF-SHA256(secret, label, identity): each connection has its own, so none can be taken for another
//   identity  = "dsm1 job=.. epoch=.. SOURCE>DESTINATION for=.. SHA256(hello, greeting)"; both ends form it from the hello, so a
//               hello that was changed on the way ends the handshake
//   mode      = psk_dhe_ke with X25519, AES-128-GCM: what was recorded stays unreadable if the secret is lost later
// No certificates, tickets, early data, renegotiation or older versions.
#pragma once
#include <openssl/ssl.h>

#include <memory>

#include "libdsm/transport/authenticator.h"
#include "libdsm/transport/job_secret.h"
#include "libdsm/transport/tls_stream.h"

namespace dsm::transport {

class TlsAuthenticator final : public Authenticator {
 public:
  // `rekey_bytes`: for tests.
  explicit TlsAuthenticator(const Secret& secret, uint64_t rekey_bytes = TlsStream::kRekeyBytes);
  ~TlsAuthenticator() override;
  Protection protection() const override { return Protection::kTls; }
  std::unique_ptr<AuthSession> begin(Role role, Bytes binding) const override;

 private:
  struct ContextFree {
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  };
  Secret secret_;
  const uint64_t rekey_bytes_;
  std::unique_ptr<SSL_CTX, ContextFree> context_;
};

}  // namespace dsm::transport
