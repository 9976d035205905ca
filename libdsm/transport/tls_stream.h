// SPDX-License-Identifier: Apache-2.0
// TlsStream: an established TLS 1.3 connection of libssl as a StreamCipher. libssl never sees the socket: it reads from
// and writes to memory.
#pragma once
#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "libdsm/transport/stream_cipher.h"

namespace dsm::transport {

struct TlsFree {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
};
using TlsHandle = std::unique_ptr<SSL, TlsFree>;

// Moves what libssl wants to send behind `out`.
void take_output(SSL* ssl, std::vector<std::byte>& out);
// The reason that libssl gave last, in its words, and forgets it.
std::string take_tls_reason();

class TlsStream final : public StreamCipher {
 public:
  // AES-GCM may not protect more than some 2^24.5 full records with one key (RFC 8446, 5.5): 388 GB, a few minutes of
  // pages. So each direction changes its key long before that.
  static constexpr uint64_t kRekeyBytes = uint64_t{32} << 30;

  explicit TlsStream(TlsHandle ssl, uint64_t rekey_bytes = kRekeyBytes) : ssl_(std::move(ssl)), rekey_bytes_(rekey_bytes) {}

  Status seal(std::span<const std::byte> plain, std::vector<std::byte>& out) override;
  void seal_end(std::vector<std::byte>& out) override;
  Status feed(std::span<const std::byte> sealed) override;
  Result<size_t> open(std::span<std::byte> into, std::vector<std::byte>& answer) override;
  bool ended() const override { return ended_; }

 private:
  Error broken(const char* what);

  TlsHandle ssl_;
  const uint64_t rekey_bytes_;
  uint64_t sealed_bytes_ = 0;  // with the present key
  bool ended_ = false, broken_ = false;
};

}  // namespace dsm::transport
