// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/peer_trust.h"

#include "libdsm/transport/hmac_authenticator.h"
#include "libdsm/transport/tls_authenticator.h"

namespace dsm::agent {

bool encrypts(const Configure& config) {
  const bool loopback = config.bind.starts_with("127.") || config.bind == "::1";
  return config.encrypt == Encrypt::kOn || (config.encrypt == Encrypt::kAuto && !loopback);
}

std::unique_ptr<transport::Authenticator> make_authenticator(const Configure& config) {
  if (encrypts(config)) return std::make_unique<transport::TlsAuthenticator>(config.secret);
  return std::make_unique<transport::HmacAuthenticator>(config.secret);
}

}  // namespace dsm::agent
