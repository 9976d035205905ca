// SPDX-License-Identifier: Apache-2.0
#include "libdsm/ckpt/file_bytes.h"

#include <algorithm>
#include <cerrno>
#define XXH_INLINE_ALL  // no library to load at start-up
#include <xxhash.h>

namespace dsm::ckpt {

Digest digest_of(Bytes bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

std::string to_string(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint64_t half : {digest.high, digest.low})
    for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[half >> shift & 15];
  return text;
}

bool is_job_name(std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kMaxJobBytes && std::all_of(name.begin(), name.end(), allowed) &&
         name.find_first_not_of('.') != std::string_view::npos;
}

std::vector<std::byte> ByteWriter::seal() {
  put(digest_of(bytes_));
  return std::move(bytes_);
}

bool ByteReader::get_text(std::string& text, size_t bytes) {
  if (!good_ || left_.size() < bytes) return good_ = false;
  text.assign(reinterpret_cast<const char*>(left_.data()), bytes);
  left_ = left_.subspan(bytes);
  return true;
}

bool ByteReader::skip_padding(size_t whole, size_t multiple) {
  for (size_t read = whole - left_.size(); good_ && read % multiple != 0; ++read) {
    std::byte zero{1};
    if (!get(zero) || zero != std::byte{0}) good_ = false;
  }
  return good_;
}

Result<Bytes> unseal(Bytes file, std::string_view magic) {
  uint32_t version = 0;
  if (file.size() < magic.size() + sizeof version + sizeof(Digest)) return Error{"is too short (" + std::to_string(file.size()) + " bytes)", EBADMSG};
  if (std::memcmp(file.data(), magic.data(), magic.size()) != 0) return Error{"does not begin as such a file does", EBADMSG};
  Digest expected;
  const Bytes content = file.first(file.size() - sizeof expected);
  std::memcpy(&expected, file.data() + content.size(), sizeof expected);
  std::memcpy(&version, file.data() + magic.size(), sizeof version);
  if (digest_of(content) != expected) return Error{"is damaged (its digest does not fit its bytes)", EBADMSG};
  if (version != kFormatVersion)
    return Error{"has format version " + std::to_string(version) + ", this program reads version " + std::to_string(kFormatVersion), EPROTONOSUPPORT};
  return content;
}

}  // namespace dsm::ckpt
