// SPDX-License-Identifier: Apache-2.0
// What a stranger can send before he has proved anything: a hello, and records for the challenge or for TLS. None of it
// may be accepted. Input: one byte (which authenticator), the hello, then records, each with two bytes of length.
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/transport/hmac_authenticator.h"
#include "libdsm/transport/tls_authenticator.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace dsm;
using namespace dsm::transport;

Secret secret_of(uint8_t fill) {
  Secret secret;
  secret.fill(std::byte{fill});
  return secret;
}

constexpr Membership kMember{NodeId{0}, 4, 9, 2, Protection::kTls};

void add_record(std::string& to, const std::vector<std::byte>& record) {
  const uint16_t bytes = static_cast<uint16_t>(record.size());
  to.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  to.append(reinterpret_cast<const char*>(record.data()), record.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const HmacAuthenticator challenge(secret_of(1));
  static const TlsAuthenticator tls(secret_of(1));
  if (size < 1 + sizeof(LinkHello)) return 0;
  const Authenticator& authenticator = data[0] % 2 ? static_cast<const Authenticator&>(challenge) : tls;
  const Bytes hello_bytes = std::as_bytes(std::span(data + 1, sizeof(LinkHello)));
  LinkHello hello;
  std::memcpy(&hello, hello_bytes.data(), sizeof hello);
  (void)kMember.objection_to(hello);
  const auto session = authenticator.begin(data[0] & 2 ? Role::kDialer : Role::kAcceptor, hello_bytes);
  if (data[0] & 2) {
    auto opening = session->advance({});
    DSM_CHECK(opening && opening->state == AuthSession::State::kContinue);
  }
  for (size_t at = 1 + sizeof hello; at + 2 <= size;) {
    uint16_t bytes;
    std::memcpy(&bytes, data + at, sizeof bytes);
    at += sizeof bytes;
    if (bytes == 0 || at + bytes > size) return 0;
    auto step = session->advance(std::as_bytes(std::span(data + at, bytes)));
    at += bytes;
    if (!step) return 0;
    DSM_CHECK(step->state == AuthSession::State::kContinue);  // nobody here knows the secret
  }
  return 0;
}

// Openings of dialers with another secret.
std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  const LinkHello hello = Membership{NodeId{1}, 4, 9, 2, Protection::kTls}.hello_to(NodeId{0}, Purpose::kData);
  const Bytes binding = std::as_bytes(std::span(&hello, 1));
  const HmacAuthenticator challenge(secret_of(2));
  const TlsAuthenticator tls(secret_of(2));
  for (const Authenticator* a : {static_cast<const Authenticator*>(&challenge), static_cast<const Authenticator*>(&tls)}) {
    std::string seed(1, a == &challenge ? '\1' : '\0');
    seed.append(reinterpret_cast<const char*>(binding.data()), binding.size());
    const auto dialer = a->begin(Role::kDialer, binding), acceptor = a->begin(Role::kAcceptor, binding);
    auto opening = dialer->advance({});
    auto answer = acceptor->advance(opening->reply);
    std::string to_dialer = seed;
    to_dialer[0] = static_cast<char>(to_dialer[0] | 2);
    add_record(seed, opening->reply);
    auto proof = dialer->advance(answer->reply);
    if (proof && !proof->reply.empty()) add_record(seed, proof->reply);
    add_record(to_dialer, answer->reply);
    seeds.push_back(seed);
    seeds.push_back(to_dialer);
  }
  return seeds;
}
