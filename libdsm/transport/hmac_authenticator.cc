// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/hmac_authenticator.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "libdsm/base/check.h"

namespace dsm::transport {
namespace {

constexpr size_t kNonceBytes = 32;
constexpr size_t kMacBytes = 32;
using Nonce = std::array<std::byte, kNonceBytes>;
using Mac = std::array<std::byte, kMacBytes>;

void append(std::vector<std::byte>& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

Nonce fresh_nonce() {
  Nonce nonce;
  ssize_t n = 0;
  do n = ::getrandom(nonce.data(), nonce.size(), 0);
  while (n < 0 && errno == EINTR);
  DSM_CHECK(n == static_cast<ssize_t>(nonce.size()));  // never short below 256 bytes
  return nonce;
}

class HmacSession final : public AuthSession {
 public:
  HmacSession(const Secret& secret, Role role, Bytes binding)
      : secret_(secret), role_(role), binding_(binding.begin(), binding.end()), own_(fresh_nonce()) {}
  ~HmacSession() override { OPENSSL_cleanse(secret_.data(), secret_.size()); }

  Result<Step> advance(Bytes record) override {
    if (role_ == Role::kDialer) return record.empty() ? open() : answer(record);
    return expected_proof_ ? verify(record) : challenge(record);
  }

 private:
  Mac mac(Role prover, const Nonce& dialer, const Nonce& acceptor) const {
    const std::string_view label = prover == Role::kDialer ? "dsm dialer" : "dsm acceptor";
    std::vector<std::byte> text;
    append(text, std::as_bytes(std::span(label)));
    append(text, dialer);
    append(text, acceptor);
    append(text, binding_);
    Mac result;
    unsigned length = 0;
    const unsigned char* done =
        ::HMAC(::EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
               reinterpret_cast<const unsigned char*>(text.data()), text.size(),
               reinterpret_cast<unsigned char*>(result.data()), &length);
    DSM_CHECK(done != nullptr && length == kMacBytes);
    return result;
  }

  static bool equal(const Mac& expected, Bytes given) {
    return given.size() == expected.size() && ::CRYPTO_memcmp(expected.data(), given.data(), given.size()) == 0;
  }

  Result<Step> open() {
    Step step;
    append(step.reply, own_);
    return step;
  }

  Result<Step> challenge(Bytes record) {
    if (record.empty()) return Step{};  // the acceptor has nothing to open with
    if (record.size() != kNonceBytes) return Error{"sent a malformed challenge", EPROTO};
    Nonce dialer;
    std::memcpy(dialer.data(), record.data(), kNonceBytes);
    expected_ = mac(Role::kDialer, dialer, own_);
    expected_proof_ = true;
    Step step;
    append(step.reply, own_);
    append(step.reply, mac(Role::kAcceptor, dialer, own_));
    return step;
  }

  Result<Step> answer(Bytes record) {
    if (record.size() != kNonceBytes + kMacBytes) return Error{"sent a malformed answer", EPROTO};
    Nonce acceptor;
    std::memcpy(acceptor.data(), record.data(), kNonceBytes);
    if (!equal(mac(Role::kAcceptor, own_, acceptor), record.subspan(kNonceBytes)))
      return Error{"does not know the secret of this job", EACCES};
    Step step{.state = State::kAccepted};
    append(step.reply, mac(Role::kDialer, own_, acceptor));
    return step;
  }

  Result<Step> verify(Bytes record) const {
    if (!equal(expected_, record)) return Error{"does not know the secret of this job", EACCES};
    return Step{.state = State::kAccepted};
  }

  Secret secret_;
  const Role role_;
  const std::vector<std::byte> binding_;
  const Nonce own_;
  bool expected_proof_ = false;
  Mac expected_{};
};

}  // namespace

HmacAuthenticator::~HmacAuthenticator() { OPENSSL_cleanse(secret_.data(), secret_.size()); }

std::unique_ptr<AuthSession> HmacAuthenticator::begin(Role role, Bytes binding) const {
  // Our use needs no configuration file, and reading it would cost the start of a job more than the challenge.
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  return std::make_unique<HmacSession>(secret_, role, binding);
}

}  // namespace dsm::transport
