// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/tls_stream.h"

#include <openssl/err.h>

#include <cerrno>

#include "libdsm/base/check.h"

namespace dsm::transport {

void take_output(SSL* ssl, std::vector<std::byte>& out) {
  BIO* output = ::SSL_get_wbio(ssl);
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(output, &bytes);
  if (count <= 0) return;
  const auto* first = reinterpret_cast<const std::byte*>(bytes);
  out.insert(out.end(), first, first + count);
  BIO_reset(output);
}

std::string take_tls_reason() {
  const unsigned long code = ::ERR_peek_error();
  const char* reason = code != 0 ? ::ERR_reason_error_string(code) : nullptr;
  ::ERR_clear_error();
  return reason ? reason : "no reason given";
}

Error TlsStream::broken(const char* what) {
  broken_ = true;
  return Error{std::string(what) + " (" + take_tls_reason() + ")", EPROTO};
}

Status TlsStream::seal(std::span<const std::byte> plain, std::vector<std::byte>& out) {
  if (broken_) return Error{"the encrypted connection is broken", EPROTO};
  if (plain.empty()) return success();
  ::ERR_clear_error();
  if (sealed_bytes_ >= rekey_bytes_) {
    // Takes effect with the next write; the other direction is its own sender's business.
    if (::SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED) != 1) return broken("cannot change the key");
    sealed_bytes_ = 0;
  }
  size_t written = 0;
  if (::SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) return broken("cannot encrypt");
  DSM_CHECK(written == plain.size());  // memory takes everything
  sealed_bytes_ += written;
  take_output(ssl_.get(), out);
  return success();
}

void TlsStream::seal_end(std::vector<std::byte>& out) {
  if (broken_) return;
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_.get());  // 0: said, not heard yet. That is enough
  ::ERR_clear_error();
  take_output(ssl_.get(), out);
}

Status TlsStream::feed(std::span<const std::byte> sealed) {
  if (sealed.empty()) return success();
  DSM_CHECK(sealed.size() <= INT32_MAX);
  const int taken = ::BIO_write(::SSL_get_rbio(ssl_.get()), sealed.data(), static_cast<int>(sealed.size()));
  DSM_CHECK(taken == static_cast<int>(sealed.size()));
  return success();
}

Result<size_t> TlsStream::open(std::span<std::byte> into, std::vector<std::byte>& answer) {
  DSM_CHECK(!into.empty());
  if (broken_) return Error{"the encrypted connection is broken", EPROTO};
  if (ended_) return size_t{0};
  ::ERR_clear_error();
  size_t got = 0;
  const int done = ::SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
  const int why = done == 1 ? SSL_ERROR_NONE : ::SSL_get_error(ssl_.get(), done);
  take_output(ssl_.get(), answer);  // the answer to a change of keys, or an alert
  switch (why) {
    case SSL_ERROR_NONE: return got;
    case SSL_ERROR_WANT_READ: return size_t{0};
    case SSL_ERROR_ZERO_RETURN: ended_ = true; return size_t{0};
    default: return broken("sent bytes that cannot be decrypted");
  }
}

}  // namespace dsm::transport
