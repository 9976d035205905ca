// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/tls_authenticator.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "libdsm/base/check.h"

namespace dsm::transport {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kDigestBytes = 32;
constexpr char kKeyLabel[] = "dsm tls 1.3 external psk";
constexpr unsigned char kCipher[] = {0x13, 0x01};  // TLS_AES_128_GCM_SHA256
constexpr char kCipherName[] = "TLS_AES_128_GCM_SHA256";

// What both ends know about this connection, and the key that belongs to it.
struct ConnectionKey {
  std::string identity;
  std::array<unsigned char, kKeyBytes> key{};

  ConnectionKey() = default;
  ConnectionKey(const ConnectionKey&) = delete;
  ConnectionKey& operator=(const ConnectionKey&) = delete;
  ~ConnectionKey() { ::OPENSSL_cleanse(key.data(), key.size()); }
};

std::string identity_of(Bytes binding) {
  LinkHello hello;
  DSM_CHECK(binding.size() >= sizeof hello);
  std::memcpy(&hello, binding.data(), sizeof hello);
  unsigned char digest[kDigestBytes];
  size_t length = 0;
  DSM_CHECK(::EVP_Q_digest(nullptr, "SHA256", nullptr, binding.data(), binding.size(), digest, &length) == 1 &&
            length == sizeof digest);
  char text[128];
  std::snprintf(text, sizeof text, "dsm1 job=%016lx epoch=%u %u>%u for=%u ", hello.job, hello.epoch, hello.source,
                hello.destination, hello.purpose);
  std::string identity = text;
  for (unsigned char byte : digest) {
    std::snprintf(text, sizeof text, "%02x", byte);
    identity += text;
  }
  return identity;
}

void derive_key(const Secret& secret, ConnectionKey& into) {
  EVP_KDF* kdf = ::EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  EVP_KDF_CTX* context = ::EVP_KDF_CTX_new(kdf);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      ::OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      ::OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<std::byte*>(secret.data()), secret.size()),
      ::OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, const_cast<char*>(kKeyLabel), sizeof kKeyLabel - 1),
      ::OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, into.identity.data(), into.identity.size()),
      ::OSSL_PARAM_construct_end()};
  const bool derived = context && ::EVP_KDF_derive(context, into.key.data(), into.key.size(), parameters) == 1;
  ::EVP_KDF_CTX_free(context);
  ::EVP_KDF_free(kdf);
  DSM_CHECK(derived);
}

// The key in the form that libssl wants; owned by the caller. nullptr: out of memory.
SSL_SESSION* make_session(SSL* ssl, const ConnectionKey& key) {
  SSL_SESSION* session = ::SSL_SESSION_new();
  const SSL_CIPHER* cipher = ::SSL_CIPHER_find(ssl, kCipher);
  const bool good = session && cipher && ::SSL_SESSION_set1_master_key(session, key.key.data(), key.key.size()) == 1 &&
                    ::SSL_SESSION_set_cipher(session, cipher) == 1 &&
                    ::SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1;
  if (good) return session;
  ::SSL_SESSION_free(session);
  return nullptr;
}

const ConnectionKey& key_of(SSL* ssl) { return *static_cast<const ConnectionKey*>(SSL_get_app_data(ssl)); }

// Dialer: the identity that it offers.
int use_session(SSL* ssl, const EVP_MD*, const unsigned char** id, size_t* id_bytes, SSL_SESSION** session) {
  const ConnectionKey& key = key_of(ssl);
  *session = make_session(ssl, key);
  if (!*session) return 0;
  *id = reinterpret_cast<const unsigned char*>(key.identity.data());
  *id_bytes = key.identity.size();
  return 1;
}

// Acceptor: only the identity that follows from the hello has a key.
int find_session(SSL* ssl, const unsigned char* id, size_t id_bytes, SSL_SESSION** session) {
  const ConnectionKey& key = key_of(ssl);
  *session = nullptr;
  if (id_bytes != key.identity.size() || std::memcmp(id, key.identity.data(), id_bytes) != 0) return 1;
  *session = make_session(ssl, key);
  return *session ? 1 : 0;
}

class TlsSession final : public AuthSession {
 public:
  TlsSession(SSL_CTX* context, const Secret& secret, Role role, Bytes binding, uint64_t rekey_bytes)
      : ssl_(::SSL_new(context)), rekey_bytes_(rekey_bytes) {
    DSM_CHECK(ssl_ != nullptr);
    key_.identity = identity_of(binding);
    derive_key(secret, key_);
    BIO* input = ::BIO_new(::BIO_s_mem());
    BIO* output = ::BIO_new(::BIO_s_mem());
    DSM_CHECK(input && output);
    BIO_set_mem_eof_return(input, -1);  // "empty" means that more will come
    ::SSL_set_bio(ssl_.get(), input, output);
    SSL_set_app_data(ssl_.get(), &key_);
    if (role == Role::kAcceptor) {
      ::SSL_set_accept_state(ssl_.get());
    } else {
      ::SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, nullptr);  // no certificate, whosever it is, is good enough
      ::SSL_set_connect_state(ssl_.get());
    }
  }

  Result<Step> advance(Bytes record) override {
    ::ERR_clear_error();
    if (!record.empty()) {
      const int taken = ::BIO_write(::SSL_get_rbio(ssl_.get()), record.data(), static_cast<int>(record.size()));
      DSM_CHECK(taken == static_cast<int>(record.size()));
    }
    Step step;
    const int done = ::SSL_do_handshake(ssl_.get());
    take_output(ssl_.get(), step.reply);
    if (done == 1) {
      // Without a certificate there is no other way to come here; it is what everything rests on.
      if (::SSL_session_reused(ssl_.get()) != 1) return Error{"does not know the secret of this job", EACCES};
      step.state = AuthSession::State::kAccepted;
      return step;
    }
    if (::SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ) return step;
    return refusal();
  }

  std::unique_ptr<StreamCipher> take_cipher() override {
    SSL_set_app_data(ssl_.get(), nullptr);  // the key ends with this session, and is not asked for again
    return std::make_unique<TlsStream>(std::move(ssl_), rekey_bytes_);
  }

 private:
  static Error refusal() {
    switch (ERR_GET_REASON(::ERR_peek_error())) {
      case SSL_R_BINDER_DOES_NOT_VERIFY:                // the dialer's key is another one
      case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:  // the acceptor's
      case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
        ::ERR_clear_error();
        return Error{"does not know the secret of this job", EACCES};
      default:
        return Error{"failed the TLS handshake (" + take_tls_reason() + ")", EPROTO};
    }
  }

  ConnectionKey key_;
  TlsHandle ssl_;
  const uint64_t rekey_bytes_;
};

}  // namespace

TlsAuthenticator::TlsAuthenticator(const Secret& secret, uint64_t rekey_bytes) : secret_(secret), rekey_bytes_(rekey_bytes) {
  // Neither a configuration file nor error texts beyond the reasons are needed.
  ::OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  context_.reset(::SSL_CTX_new(::TLS_method()));
  SSL_CTX* context = context_.get();
  DSM_CHECK(context != nullptr);
  DSM_CHECK(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
            SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1);
  DSM_CHECK(::SSL_CTX_set_ciphersuites(context, kCipherName) == 1 && SSL_CTX_set1_groups_list(context, "X25519") == 1);
  ::SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  ::SSL_CTX_clear_options(context, SSL_OP_ENABLE_MIDDLEBOX_COMPAT | SSL_OP_ALLOW_NO_DHE_KEX);
  ::SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_psk_use_session_callback(context, use_session);
  ::SSL_CTX_set_psk_find_session_callback(context, find_session);
}

TlsAuthenticator::~TlsAuthenticator() { ::OPENSSL_cleanse(secret_.data(), secret_.size()); }

std::unique_ptr<AuthSession> TlsAuthenticator::begin(Role role, Bytes binding) const {
  return std::make_unique<TlsSession>(context_.get(), secret_, role, binding, rekey_bytes_);
}

}  // namespace dsm::transport
